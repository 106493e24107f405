// The one thing that we take of client-node. Named here, so that a bundle leaves out the rest of it: some 15 MB of
// generated text that would be read at every start.
export { KubeConfig } from '@kubernetes/client-node';
