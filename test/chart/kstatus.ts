/**
 * How tools read the status of an object: kstatus (Flux, Helm's --wait, kpt), by the rules of
 * sigs.k8s.io/cli-utils: pkg/kstatus/status for kinds that it does not know, and Argo CD by the script of the chart.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { isMapping, valueAt } from '../apiserver/objects.ts';
import type { KubeObject, Mapping } from '../apiserver/objects.ts';

export type Progress = 'InProgress' | 'Current' | 'Failed' | 'Terminating';

export function kstatus(object: KubeObject): Progress {
  const { metadata } = object;
  if (metadata.deletionTimestamp !== undefined) return 'Terminating';
  const observed = valueAt(object, '.status.observedGeneration');
  if (observed !== undefined && observed !== metadata.generation) return 'InProgress';
  const is = (type: string): unknown => conditionsOf(object).find((one) => one['type'] === type)?.['status'];
  if (is('Reconciling') === 'True') return 'InProgress';
  if (is('Stalled') === 'True') return 'Failed';
  const ready = is('Ready');
  return ready === undefined || ready === 'True' ? 'Current' : 'InProgress';
}

function conditionsOf(object: KubeObject): Mapping[] {
  const conditions = valueAt(object, '.status.conditions');
  return Array.isArray(conditions) ? conditions.filter(isMapping) : [];
}

/** The part of fengari, a Lua in JavaScript, that is used here. */
interface Fengari {
  readonly lua: {
    lua_getfield(state: object, index: number, name: Uint8Array): number;
    lua_tojsstring(state: object, index: number): string;
    lua_pop(state: object, count: number): void;
  };
  readonly lauxlib: {
    luaL_newstate(): object;
    luaL_dostring(state: object, text: Uint8Array): number;
  };
  readonly lualib: { luaL_openlibs(state: object): void };
  readonly to_luastring: (text: string) => Uint8Array;
}

const script = readFileSync(
  path.resolve(import.meta.dirname, '../../charts/lvs-operator/files/argocd-health.lua'),
  'utf8',
);

/** What Argo CD makes of the object. @throws Error with what Lua says */
export function argoHealth(object: KubeObject): { readonly status: string; readonly message: string } {
  const { lua, lauxlib, lualib, to_luastring: text } = createRequire(import.meta.url)('fengari') as Fengari;
  const state = lauxlib.luaL_newstate();
  lualib.luaL_openlibs(state);
  if (lauxlib.luaL_dostring(state, text(`local obj = ${luaValue(object)}\n${script}`)) !== 0)
    throw new Error(lua.lua_tojsstring(state, -1));
  const field = (name: string): string => {
    lua.lua_getfield(state, -1, text(name));
    const value = lua.lua_tojsstring(state, -1);
    lua.lua_pop(state, 1);
    return value;
  };
  return { status: field('status'), message: field('message') };
}

function luaValue(value: unknown): string {
  if (typeof value === 'string')
    return `"${[...Buffer.from(value)].map((byte) => `\\${String(byte).padStart(3, '0')}`).join('')}"`;
  if (Array.isArray(value)) return `{${value.map(luaValue).join(',')}}`;
  if (isMapping(value))
    return `{${Object.entries(value)
      .map(([key, child]) => `[${luaValue(key)}]=${luaValue(child)}`)
      .join(',')}}`;
  return value === null || value === undefined ? 'nil' : JSON.stringify(value);
}
