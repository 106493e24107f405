/** One path of the endpoint. */
export interface Page {
  /** Open: for everybody, without a question to anybody. The others need the permission to `get` their path. */
  readonly isOpen: boolean;
  /** What it says now. A body in parts is made while it is sent, so that a long one holds up nothing. */
  answer(): PageAnswer | Promise<PageAnswer>;
}

export interface PageAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string | AsyncIterable<string>;
}

export const plainText = 'text/plain; charset=utf-8';
