import type { FailureReason } from './outcome.ts';

/**
 * grpc.health.v1, as much as a probe needs: `HealthCheckRequest { string service = 1 }` out, `HealthCheckResponse
 * { ServingStatus status = 1 }` in, each in one gRPC frame (a byte for compression, four for the length).
 */
export const grpcHealthPath = '/grpc.health.v1.Health/Check';
/** A frame with one small number; far more is no answer to our question. */
export const grpcAnswerLimit = 1024;

const frameHeader = 5;
const serving = 1;
/** Tag of field 1 with wire type 2 (bytes). */
const serviceTag = 0x0a;

export function encodeGrpcHealthRequest(service: string): Uint8Array {
  const name = new TextEncoder().encode(service);
  const body = name.length === 0 ? [] : [serviceTag, ...varint(name.length), ...name];
  const frame = new Uint8Array(frameHeader + body.length);
  new DataView(frame.buffer).setUint32(1, body.length);
  frame.set(body, frameHeader);
  return frame;
}

/** @returns why the answer is not "serving"; undefined when it is */
export function judgeGrpcHealthResponse(frame: Uint8Array): FailureReason | undefined {
  if (frame.length < frameHeader) return 'AnswerMalformed';
  const length = new DataView(frame.buffer, frame.byteOffset).getUint32(1);
  if (frame[0] !== 0 || length !== frame.length - frameHeader) return 'AnswerMalformed';
  const status = readStatus(frame.subarray(frameHeader));
  if (status === undefined) return 'AnswerMalformed';
  // SERVICE_UNKNOWN is for watchers; a server that sends it here means the same.
  return status === serving ? undefined : status === 3 ? 'ServiceUnknown' : 'NotServing';
}

/** The last field 1 of the message, 0 (UNKNOWN) if absent; undefined when the bytes are no message. */
function readStatus(message: Uint8Array): number | undefined {
  let status = 0;
  let at = 0;
  const next = (): number | undefined => {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = message[at++];
      if (byte === undefined) return undefined;
      // Beyond 32 bits nothing we read has a meaning; the bits are passed over.
      if (shift < 28) value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    return undefined;
  };
  while (at < message.length) {
    const tag = next();
    if (tag === undefined || tag >> 3 === 0) return undefined;
    switch (tag & 7) {
      case 0: {
        const value = next();
        if (value === undefined) return undefined;
        if (tag >> 3 === 1) status = value;
        break;
      }
      case 1:
        at += 8;
        break;
      case 2: {
        const length = next();
        if (length === undefined) return undefined;
        at += length;
        break;
      }
      case 5:
        at += 4;
        break;
      default:
        return undefined;
    }
    if (at > message.length) return undefined;
  }
  return status;
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (; value >= 0x80; value >>>= 7) bytes.push((value & 0x7f) | 0x80);
  return [...bytes, value];
}
