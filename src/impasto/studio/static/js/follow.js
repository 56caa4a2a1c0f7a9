// Follow a job to its end: by server-sent events, or by asking where they don't come through.
import { ApiError, eventsUrl, getJob } from "./api.js";

const ASK_EVERY = 1500; // ms
const LONGEST_SILENCE = 40000; // ms; the server's heartbeat comes every 15 s, but a browser doesn't show it
const GONE = [401, 403, 404]; // the job, or this browser's right to see it: asking again changes nothing
const OVER = ["done", "stopped", "failed"];

export const isOver = (job) => OVER.includes(job.state);

/**
 * Call show with each state of a job until it is over, and with {lost: true} while the studio does not answer;
 * resolves with the last state.
 * @param {AbortSignal} signal ends the following, not the job
 */
export function follow(id, show, signal) {
  return new Promise((resolve, reject) => {
    const source = new EventSource(eventsUrl(id));
    let timer;
    const end = (finish, value) => { source.close(); clearTimeout(timer); finish(value); };
    signal.addEventListener("abort", () => end(reject, new DOMException("left", "AbortError")), { once: true });
    const take = (job) => {
      show(job);
      if (isOver(job)) end(resolve, job);
      else later(LONGEST_SILENCE);
    };
    const later = (wait) => { clearTimeout(timer); timer = setTimeout(poll, wait); };
    const poll = async () => {
      try {
        take(await getJob(id));
        if (source.readyState === EventSource.CLOSED) later(ASK_EVERY);
      } catch (error) {
        if (error instanceof ApiError && GONE.includes(error.status)) { end(reject, error); return; }
        show({ lost: true });
        later(2 * ASK_EVERY);
      }
    };
    source.addEventListener("state", (event) => take(JSON.parse(event.data)));
    source.addEventListener("error", () => { if (!signal.aborted) later(ASK_EVERY); });
    later(LONGEST_SILENCE);
  });
}
