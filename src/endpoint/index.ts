/**
 * endpoint: what a process tells over HTTP, and to whom.
 *
 * Owns the server of a director and of a controller: its limits, its certificate, who may read which page, and whether
 * the process is alive. Promises that liveness depends on nothing outside the process; that a page which needs
 * permission is never shown without; that whoever asks can take neither memory nor connections without bound; and that
 * a port that cannot be had stops nothing but the endpoint. Refuses to know what the pages say.
 */
export { AccessReview } from './access-review.ts';
export type { AccessReviewOptions, AccessVerdict } from './access-review.ts';
export { EventLoopWatch } from './event-loop-watch.ts';
export { healthPage } from './health-page.ts';
export type { HealthCheck } from './health-page.ts';
export { isLoopback, parseListenAddress } from './listen-address.ts';
export type { ListenAddress } from './listen-address.ts';
export { openEndpoint } from './open-endpoint.ts';
export type { Endpoint, EndpointOptions } from './open-endpoint.ts';
export { makeGuard, openProcessEndpoint } from './process-endpoint.ts';
export type { EndpointGuard, ProcessEndpointOptions } from './process-endpoint.ts';
export type { Page, PageAnswer } from './page.ts';
export { textAnswer } from './send-answer.ts';
export { makeCertificate } from './self-signed-certificate.ts';
export type { SelfSignedCertificate } from './self-signed-certificate.ts';
