import { labels, metricsContentType } from '../metrics/index.ts';
import type { Metrics, processMetrics } from '../metrics/index.ts';
import type { Endpoint } from './open-endpoint.ts';
import type { Page } from './page.ts';

/** What Prometheus reads. */
export function metricsPage(metrics: { text(): AsyncIterable<string> }): Page {
  return {
    isOpen: false,
    answer: () => ({ status: 200, contentType: metricsContentType, body: metrics.text() }),
  };
}

export function provideAnswerMetrics(
  metrics: Metrics<typeof processMetrics>,
  endpoint: Pick<Endpoint, 'answers'>,
): void {
  metrics.provide('lvs_operator_endpoint_answers_total', () =>
    endpoint.answers.map(({ path, status, count }) => [labels({ path, code: String(status) }), count]),
  );
}
