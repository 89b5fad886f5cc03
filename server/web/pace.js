/** Calls `act` at most once in `pause` ms, and for the last time after the last call: what a hand does is not told in each of its steps. */
export function paced(pause, act) {
  let timer = null;
  let again = false;
  const run = () => {
    act();
    again = false;
    timer = setTimeout(() => {
      timer = null;
      if (again) run();
    }, pause);
  };
  return () => {
    if (timer === null) run();
    else again = true;
  };
}
