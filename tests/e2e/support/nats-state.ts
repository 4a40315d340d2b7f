// What NATS says of itself: streams, and how far each consumer is (its monitoring port, through the API server).
import { release } from '../frame/places.ts';
import { kubectl } from './kubectl.ts';

export const natsState = (): Promise<string> => {
  const pod = `/api/v1/namespaces/${release.namespace}/pods/${release.name}-nats-0:8222/proxy`;
  return kubectl(['get', '--raw', `${pod}/jsz?streams=true&consumers=true&config=true`]);
};
