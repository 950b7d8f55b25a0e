// What a call says that was refused, the same over gRPC and over REST, and when to try again.

import { setTimeout as pause } from "node:timers/promises";

const CANCELLED = 1;
const DEADLINE_EXCEEDED = 4;
const UNAVAILABLE = 14;
const PERHAPS_DONE = [CANCELLED, DEADLINE_EXCEEDED, UNAVAILABLE]; // nobody knows: the answer is missing

/** Branch on `reason`, which is never renamed (docs/errors.md). The message is for people and may change. */
export class Refused extends Error {
  /** `status` is a google.rpc.Status as JSON: { code, message, details: [{ "@type": …, … }] }. */
  constructor(status) {
    super(status.message);
    // Details of a kind that is not known here have no "@type": pass them by, others may come.
    const detail = (kind) => status.details?.find((each) => each["@type"]?.endsWith(`/google.rpc.${kind}`));
    this.name = "Refused";
    this.code = status.code; // gRPC's number: 16 is UNAUTHENTICATED
    this.reason = detail("ErrorInfo")?.reason ?? ""; // empty where no service answered: a proxy, or gRPC itself
    this.metadata = detail("ErrorInfo")?.metadata ?? {};
    this.fields = {}; // of BAD_REQUEST: what is wrong with each field
    for (const each of detail("BadRequest")?.fieldViolations ?? []) this.fields[each.field] = each.description;
    this.retryAfter = seconds(detail("RetryInfo")?.retryDelay); // undefined: trying again does not help
  }
}

/** A Duration: "1.5s" in JSON, { seconds, nanos } from gRPC. */
function seconds(duration) {
  if (!duration) return undefined;
  if (typeof duration === "string") return parseFloat(duration);
  return duration.seconds + duration.nanos / 1e9;
}

/**
 * Makes an attempt, and others while they may help.
 *
 * A refusal with a RetryInfo (OVERLOADED, HASHING_BUSY, THROTTLED …) has changed nothing, so any call may be sent
 * again after that time, which is another for everybody, so that they do not come back together. Where the answer is
 * missing, a write may have been done: only what `isRepeatable` is sent again: a read, or a write with a request_id,
 * which the server does once, and then repeats its first answer.
 */
export async function patiently(attempt, { isRepeatable, tries = 4, longestWait = 5 }) {
  for (let n = 1; ; n += 1) {
    try {
      return await attempt();
    } catch (error) {
      const wait = secondsToWait(error, n, isRepeatable);
      // THROTTLED may say minutes. That is for the person to know, not for a program to sit through.
      if (wait === undefined || wait > longestWait || n === tries) throw error;
      await pause(wait * 1000);
    }
  }
}

function secondsToWait(error, n, isRepeatable) {
  if (!(error instanceof Refused)) return undefined;
  if (error.retryAfter !== undefined) return error.retryAfter;
  const isWorthIt = isRepeatable && PERHAPS_DONE.includes(error.code);
  return isWorthIt ? 0.1 * 2 ** n * (0.5 + Math.random()) : undefined; // 0.1 to 0.3 s, then twice as long each time
}
