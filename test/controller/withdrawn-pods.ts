/** A pod template as a DaemonSet of directors has it, as far as a withdrawal looks. */
export function podTemplate(labels: Readonly<Record<string, string>>, args: readonly string[]): object {
  return {
    metadata: { labels },
    spec: {
      hostNetwork: true,
      containers: [
        {
          name: 'director',
          image: 'example.org/lvs-operator:1',
          args,
          ports: [{ name: 'https', containerPort: 9441, hostPort: 9441 }],
          livenessProbe: { httpGet: { path: '/healthz', port: 'https', scheme: 'HTTPS' } },
          securityContext: { capabilities: { add: ['NET_ADMIN', 'NET_RAW'] } },
          volumeMounts: [{ name: 'state', mountPath: '/var/lib/lvs-operator' }],
        },
      ],
      volumes: [{ name: 'state', hostPath: { path: '/var/lib/lvs-operator' } }],
    },
  };
}
