// Tells the other services of new versions and moved aliases. An event's id follows from what it says, so that saying it again, as at
// every start, says nothing new: what a crash swallowed is said then.
import { createEvent, subjects } from '#lib/contracts/events.ts';
import type { EventBus } from '#lib/platform/event-bus.ts';
import { type ModelRecord, movesOf, newestOf } from './model.ts';

export interface Announcer {
  /** The newest version, and the last move of every alias. */
  announce(model: ModelRecord): Promise<void>;
}

const source = 'weight-loader';

export const createAnnouncer = (events: EventBus): Announcer => ({
  async announce(model) {
    for (const event of [...registered(model), ...promoted(model)]) await events.publish(event);
  },
});

function registered(model: ModelRecord) {
  const newest = newestOf(model);
  if (!newest) return [];
  const { version, prefix, sha256, createTime } = newest;
  return [
    createEvent(subjects.modelRegistered, {
      source,
      id: `model.registered/${model.name}/${version}`,
      about: prefix,
      time: new Date(createTime),
      data: { model: { name: model.name, version }, prefix, sha256 },
    }),
  ];
}

const promoted = (model: ModelRecord) =>
  Object.keys(model.aliases).flatMap((alias) => {
    const moves = movesOf(model, alias);
    const [before, last] = [moves.at(-2), moves.at(-1)];
    if (!last) return [];
    const { version, time, reason } = last;
    return createEvent(subjects.modelPromoted, {
      source,
      id: `model.promoted/${model.name}/${alias}/${moves.length}`,
      about: `models/${model.name}/${version}`,
      time: new Date(time),
      data: { model: { name: model.name, version }, alias, previousVersion: before?.version ?? '', reason },
    });
  });
