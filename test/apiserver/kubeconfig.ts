/** A kubeconfig as JSON, which is YAML. @param ca PEM; undefined where there is nothing to verify */
export function kubeconfigOf(url: string, token: string | undefined, ca: string | undefined): string {
  const cluster =
    ca === undefined
      ? { server: url, 'insecure-skip-tls-verify': true }
      : { server: url, 'certificate-authority-data': Buffer.from(ca).toString('base64') };
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test', namespace: 'default' } }],
    clusters: [{ name: 'test', cluster }],
    users: [{ name: 'test', user: token === undefined ? {} : { token } }],
  });
}
