import type { Condition } from './conditions.ts';
import type { OpenApiSchema } from './open-api.ts';

/** Every limit is that of metav1.Condition. */
const conditionFields = {
  type: {
    description: 'What the condition is about, such as Ready.',
    type: 'string',
    pattern: '^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$',
    maxLength: 316,
  },
  status: { description: 'Whether it holds.', type: 'string', enum: ['True', 'False', 'Unknown'] },
  reason: {
    description: 'One word for programs that says why.',
    type: 'string',
    pattern: '^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$',
    minLength: 1,
    maxLength: 1024,
  },
  message: { description: 'A sentence for people that says why.', type: 'string', maxLength: 32768 },
  lastTransitionTime: {
    description: 'When the status of the condition last changed.',
    type: 'string',
    format: 'date-time',
    maxLength: 64,
  },
  observedGeneration: {
    description: 'Generation of the object that this was judged on.',
    type: 'integer',
    format: 'int64',
    minimum: 0,
  },
} as const satisfies Record<keyof Condition, OpenApiSchema>;

/**
 * The status of every kind: conditions, and nothing else before a controller writes more. By default Ready is Unknown,
 * so that tools that wait for an object do not take one that nobody has looked at for finished.
 */
export const statusSchema: OpenApiSchema = {
  description: 'What became of the object. Written by the operator, never by people.',
  type: 'object',
  default: {
    conditions: [
      {
        type: 'Ready',
        status: 'Unknown',
        reason: 'Pending',
        message: 'The operator has not looked at this object yet.',
        lastTransitionTime: '1970-01-01T00:00:00Z',
      },
    ],
  },
  properties: {
    conditions: {
      description: 'What holds for the object and what does not, by type.',
      type: 'array',
      maxItems: 16,
      items: {
        description: 'One statement about the object.',
        type: 'object',
        properties: conditionFields,
        required: ['type', 'status', 'reason', 'message', 'lastTransitionTime'],
      },
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['type'],
    },
  },
};
