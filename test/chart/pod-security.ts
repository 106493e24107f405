/** The Pod Security Standard "restricted", as far as pods of ours could break it. */
import { isMapping, valueAt } from '../apiserver/objects.ts';
import type { Mapping } from '../apiserver/objects.ts';

/** What a pod template breaks, in a fixed order; empty: it is restricted. */
export function restrictedViolations(template: Mapping): string[] {
  const spec = valueAt(template, '.spec');
  if (!isMapping(spec)) return ['no spec'];
  const host = ['hostNetwork', 'hostPID', 'hostIPC'].filter((field) => spec[field] === true);
  const volumes = mappings(spec['volumes'])
    .filter((volume) => !allowedVolumes.some((kind) => kind in volume))
    .map((volume) => `hostPath ${String(volume['name'])}`);
  const containers = [...mappings(spec['initContainers']), ...mappings(spec['containers'])].flatMap(
    (container) =>
      containerViolations(container, spec).map((what) => `container ${String(container['name'])}: ${what}`),
  );
  return [...host, ...volumes, ...containers].toSorted();
}

const allowedVolumes = [
  'configMap',
  'secret',
  'emptyDir',
  'projected',
  'downwardAPI',
  'persistentVolumeClaim',
];

function containerViolations(container: Mapping, spec: Mapping): string[] {
  const own = isMapping(container['securityContext']) ? container['securityContext'] : {};
  const pod = isMapping(spec['securityContext']) ? spec['securityContext'] : {};
  const of = (field: string): unknown => own[field] ?? pod[field];
  const added = valueAt(own, '.capabilities.add');
  const dropped = valueAt(own, '.capabilities.drop');
  const ports = mappings(container['ports']);
  return [
    ...(own['privileged'] === true ? ['privileged'] : []),
    ...(own['allowPrivilegeEscalation'] === false ? [] : ['may gain privileges']),
    ...(own['readOnlyRootFilesystem'] === true ? [] : ['root file system can be written']),
    ...(Array.isArray(dropped) && dropped.includes('ALL') ? [] : ['keeps capabilities']),
    ...(Array.isArray(added) && added.length > 0 ? [`capabilities ${added.join(' ')}`] : []),
    ...(of('runAsNonRoot') === true && of('runAsUser') !== 0 ? [] : ['runs as root']),
    ...(valueAt(of('seccompProfile'), '.type') === 'RuntimeDefault' ? [] : ['no seccomp profile']),
    ...(ports.some((port) => 'hostPort' in port) ? ['hostPort'] : []),
  ];
}

function mappings(value: unknown): Mapping[] {
  return Array.isArray(value) ? value.filter(isMapping) : [];
}
