import type * as z from 'zod';
import { openApiSchema } from './open-api.ts';
import type { OpenApiOptions, OpenApiSchema } from './open-api.ts';

/**
 * The status of a kind. By default Ready is Unknown, so that tools that wait for an object (Argo CD, Flux, Helm) do not
 * take one that nobody has looked at for finished.
 */
export function statusOpenApi(status: z.ZodObject, options: OpenApiOptions): OpenApiSchema {
  return {
    description: 'What became of the object. Written by the operator, never by people.',
    ...openApiSchema(status, options),
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
  };
}
