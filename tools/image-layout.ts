/** Where things are in the image. */
export const imagePaths = {
  node: '/usr/bin/node',
  product: '/usr/lib/lvs-operator/lvs-operator.mjs',
  compileCache: '/usr/lib/lvs-operator/compile-cache',
  /** Folders that a pod mounts over; nothing else is ever written. */
  writable: ['/tmp', '/run', '/var/lib/lvs-operator'],
  /** Folders that are mounted as well, by the run time or the pod. */
  mounted: ['/proc', '/dev', '/sys', '/etc/lvs-operator', '/host/proc/sys/net'],
} as const;

/** Of the environment of the image; the Dockerfile says the same. */
export const imageEnvironment = {
  PATH: '/usr/sbin:/usr/bin',
  NODE_COMPILE_CACHE: imagePaths.compileCache,
  NODE_COMPILE_CACHE_PORTABLE: '1',
} as const;

/** Who runs the controller. The director is root, with two capabilities. */
export const nonRootUid = 65_532;
