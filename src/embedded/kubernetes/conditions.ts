// Conditions of a status, which every controller keeps alike.
import { type JsonObject, toTime } from './json.ts';

/** A copy of a set of conditions with one of them changed; its transition time moves only when its status does. */
export const withCondition = (
  conditions: readonly JsonObject[],
  changed: JsonObject,
  now: number,
  hasUpdateTime: boolean,
): JsonObject[] => {
  const index = conditions.findIndex((condition) => condition['type'] === changed['type']);
  const known = conditions[index];
  if (
    known !== undefined &&
    known['status'] === changed['status'] &&
    known['reason'] === changed['reason'] &&
    known['message'] === changed['message']
  )
    return [...conditions];
  const isSame = known?.['status'] === changed['status'];
  const transition = isSame ? (known?.['lastTransitionTime'] ?? toTime(now)) : toTime(now);
  const { type, status, ...rest } = changed;
  const made: JsonObject = {
    type,
    status,
    ...(hasUpdateTime ? { lastUpdateTime: toTime(now) } : {}),
    lastTransitionTime: transition,
    ...rest,
  };
  return index === -1 ? [...conditions, made] : conditions.map((condition, place) => (place === index ? made : condition));
};
