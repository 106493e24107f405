import { stringify } from 'yaml';
import { customResourceDefinitions } from '../src/api/index.ts';

/** The CustomResourceDefinitions, one file each, named as Kubernetes tools name them. */
export function renderCustomResourceDefinitions(): { readonly path: string; readonly content: string }[] {
  return customResourceDefinitions().map((definition) => {
    const { group, names } = definition.spec;
    return {
      path: `crds/${group}_${names.plural}.yaml`,
      content:
        '# Generated from src/api by "npm run generate". Do not edit.\n' +
        // Kubernetes tools read YAML 1.1, where more words must be quoted. No anchors: people compare and cut these files.
        stringify(definition, { version: '1.1', lineWidth: 110, aliasDuplicateObjects: false }),
    };
  });
}
