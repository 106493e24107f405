import type { Logger } from '../../src/base/index.ts';
import type { ResourceType } from '../../src/kube/index.ts';

export const widgetType: ResourceType = {
  group: 'example.org',
  version: 'v1',
  plural: 'widgets',
  kind: 'Widget',
  isNamespaced: true,
};

export interface Widget {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly uid: string;
    readonly resourceVersion: string;
  };
  readonly spec: { readonly size: unknown };
}

export function widget(name: string, version: number, size: unknown = 1, uid = `uid-${name}`): Widget {
  return { metadata: { name, namespace: 'default', uid, resourceVersion: String(version) }, spec: { size } };
}

export function widgetList(
  version: number,
  items: readonly unknown[],
  continueToken?: string,
): Record<string, unknown> {
  return {
    kind: 'WidgetList',
    metadata: {
      resourceVersion: String(version),
      ...(continueToken === undefined ? {} : { continue: continueToken }),
    },
    items,
  };
}

/** Collects what is worth a person's attention. */
export class RecordingLogger implements Logger {
  readonly lines: string[] = [];

  debug(): void {}
  info(message: string): void {
    this.lines.push(`info ${message}`);
  }
  warn(message: string): void {
    this.lines.push(`warn ${message}`);
  }
  error(message: string): void {
    this.lines.push(`error ${message}`);
  }
  child(): Logger {
    return this;
  }
}
