/** What is to run at the end of this turn of the event loop: first what decides, … */
let deciding: (() => void)[] = [];
/** … then what sends. */
let sending: (() => void)[] = [];
let isDue = false;

/** Runs something when everything that has arrived has been taken in. */
export function decideSoon(run: () => void): void {
  deciding.push(run);
  due();
}

/**
 * Runs something behind all that decides, so that what a turn of the event loop has brought leaves in one write. A
 * `setImmediate` for each would have what was decided wait until the loop has come round again.
 */
export function sendSoon(run: () => void): void {
  sending.push(run);
  due();
}

function due(): void {
  if (isDue) return;
  isDue = true;
  setImmediate(runAll);
}

function runAll(): void {
  isDue = false;
  // What is added from here on to `deciding` belongs to the next turn of the loop.
  const decisions = deciding;
  deciding = [];
  try {
    for (let run = decisions.shift(); run !== undefined; run = decisions.shift()) run();
    const sends = sending;
    sending = [];
    for (const run of sends) run();
  } finally {
    // What a fault has kept from running is not lost.
    if (decisions.length > 0) deciding = [...decisions, ...deciding];
    if (decisions.length > 0 || sending.length > 0) due();
  }
}
