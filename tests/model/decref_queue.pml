/*
 * How deferred decrefs find somebody to do them, for spin: the protocol of core/push_signal.h, core/reaper.h,
 * core/gate.h and core/decref_queue.h. decref_queue_model_test.py checks all runs of it.
 *
 * The protocol. Who defers a decref writes the object into its lane, publishes it by storing the lane's tail, *then*
 * looks at the signal. Up: somebody looks at the lanes before it goes down. Closed: nobody will come. Down: it raises
 * the signal, and if that was its doing it starts or wakes the reaper. Attached threads take from the lanes while the
 * signal is up, and leave it up. Only the reaper lowers it, when the lanes look empty: it lowers, *then* looks again,
 * and raises it itself if it finds something. If it finds something while the signal is up it attaches and drains.
 * Before it sleeps it says so, *then* looks at the signal. Who ends the interpreter shuts the gate through which the
 * reaper has to pass, waits until the reaper is out, closes the signal, *then* takes what is in the lanes; what comes
 * later stays there and is leaked.
 *
 * The machine. x86: a thread's stores become visible in order, but late, and its loads do not wait for them; locked
 * instructions do. So the look at the signal may come before the tail that was stored first is visible. With
 * membarrier nothing in a push prevents that; who changes the signal empties all store buffers, *then* looks. With
 * PLAIN, where there is no membarrier and under ThreadSanitizer, the push looks by a read-modify-write, which empties
 * its own buffer, and heavy_barrier does nothing.
 *
 * What is shown, for every order of steps: each run comes to an end. There all that was pushed has been taken, the
 * signal is down, and the reaper sleeps where a push wakes it; or the queue is closed, the reaper is gone, and what
 * is left in the lanes are pushes that were told so. Everything is taken at most once, after it was written, and
 * before the interpreter is gone; nobody enters one that is gone, or waits for ever.
 *
 * Left out. Chunks, and the list of lanes: a lane that is not in it yet is an empty one. Store buffers of those who
 * drain: a head that is seen late makes a lane look fuller than it is, never emptier. Budgets, bounds and pending
 * calls: an attached thread may stop draining after any item, and need not come at all. Fork. Memory that is ordered
 * less than x86's.
 *
 * Configurations, which may be combined:
 *
 *   PLAIN       as above.
 *   CLOSE       the interpreter ends, at any moment.
 *   FLUSH       an attached thread that has waited for a producer takes all that was pushed by it.
 *   CONTAINER   an item is a container that is taken apart: taken from its lane, then noted as begun, and left in the
 *               middle when a drain's budget is used up. Not with CLOSE.
 *
 * Each of these breaks it, and has to be found out:
 *
 *   WRITE_LATE            tail before slot: somebody takes what is not written yet.
 *   SIGNAL_FIRST          a push looks at the signal, then publishes: whom it woke or relied on has been and gone.
 *   WAKE_FIRST            a push wakes the reaper, then raises: the reaper finds the signal down and sleeps again.
 *   NO_SECOND_LOOK        the reaper looks, then lowers: something is pushed between the two, while the signal is up.
 *   NO_HEAVY_BARRIER      the reaper's second look misses what is in a store buffer, its producer having seen "up".
 *                         The same when membarrier fails, or when half of the process believes in PLAIN.
 *   BARRIER_FIRST         the barrier stands before the lowering: the same, with a push between the two.
 *   LOWER_BY_STORE        lowering without comparing opens a closed queue again.
 *   DRAIN_LOWERS          an attached thread that has emptied the lanes lowers the signal and does not look again.
 *   NEVER_DRAINS          the reaper leaves draining to attached threads: none may come, and it looks for ever.
 *   LOOK_THEN_ANNOUNCE    the reaper looks at the signal, then says that it sleeps: nobody wakes it for what was
 *                         raised between the two.
 *   SLEEP_REGARDLESS      it sleeps although its word was taken back: the wake-up has come already.
 *   HEAD_AFTER_DECREF     a drain moves head after the decref, in which others run: the item is taken twice.
 *   DRAIN_PAST_END        a drain that the interpreter's end interrupted goes on after it.
 *   CLOSE_LATE            the last drain, then the close: a push between the two was told that somebody comes.
 *   NO_CLOSE_BARRIER      the last drain misses what is in a store buffer, its producer having seen "up".
 *   COUNT_WHEN_TOLD       leaks are counted by pushes that see "closed", not in the lanes: the last drain may have
 *                         taken such a push's item.
 *   NO_GATE               the reaper enters an interpreter that is gone.
 *   WAIT_ATTACHED         the end waits for the reaper with the GIL for which the reaper waits.
 *   FLUSH_ASKS            a flush does nothing when the signal is not up: the reaper has just lowered it and not yet
 *                         looked again.
 *   LEAVE_QUIETLY         a drain leaves a container half taken apart and does not raise the signal: the reaper
 *                         lowered it when the container was neither in the lane nor begun.
 */

#define PRODUCERS 2
#ifndef PUSHES
#define PUSHES 2
#endif

mtype = { down, up, closed };
mtype signal = down;

/* A push stores twice into its lane, so one count says which stores a producer has executed, and one which of them
 * have left its store buffer. With the slot before the tail, the slot alone looks to everybody like nothing, so that
 * the two may leave it together: fewer states. */
byte issued[PRODUCERS];
byte visible[PRODUCERS];
#ifdef WRITE_LATE
#define AT_ONCE 1
#define TAIL(lane) ((visible[lane] + 1) / 2)
#define IS_WRITTEN(lane, item) (visible[lane] >= 2 * (item) + 2)
#else
#define AT_ONCE 2
#define TAIL(lane) (visible[lane] / 2)
#define IS_WRITTEN(lane, item) (visible[lane] >= 2 * (item) + 1)
#endif
#define FLUSH_BUFFER(lane) visible[lane] = issued[lane]

byte head[PRODUCERS];
byte decrefs[PRODUCERS];
byte told_closed[PRODUCERS];
bool joined;        /* producer 0 has ended, and this is known */
byte begun;         /* containers that are being taken apart */

bool gil;           /* who ends the interpreter holds it and does not let go */
bool shut;          /* the gate */
bool visitor;       /* the reaper is inside the gate */
bool over;          /* the interpreter is gone */

bool running;       /* there is a reaper */
bool asleep;        /* its word */
bool waiting;       /* it is in the futex */

#define HAS(lane) (head[lane] < TAIL(lane))

inline compare_exchange(from, to)
{
  d_step {
    if
    :: signal == from -> signal = to
    :: else
    fi
  }
}

/* Store buffers empty themselves when they like. */
active proctype Memory()
{
end:
  do
  :: d_step { visible[0] < issued[0] -> visible[0] = visible[0] + AT_ONCE }
  :: d_step { visible[1] < issued[1] -> visible[1] = visible[1] + AT_ONCE }
  od
}

/* The kernel interrupts the other threads one by one, in any order. */
inline heavy_barrier()
{
#ifndef PLAIN
  if
  :: FLUSH_BUFFER(0); FLUSH_BUFFER(1)
  :: FLUSH_BUFFER(1); FLUSH_BUFFER(0)
  fi
#else
  skip
#endif
}

inline wake()
{
  /* Who loses this exchange finds a thread all the same. */
  running = true;
  wake_sleeper()
}

inline wake_sleeper()
{
  if
  :: d_step { asleep -> asleep = false }; waiting = false /* exchange; futex */
  :: !asleep
  fi
}

#ifdef PLAIN
#define LOOK_FLUSHES(lane) FLUSH_BUFFER(lane)
#else
#define LOOK_FLUSHES(lane) skip
#endif
#define NOTE_CLOSED(lane) told_closed[lane] = told_closed[lane] + (signal == closed)

inline raise_after_publishing()
{
  if
  :: d_step { signal == down -> LOOK_FLUSHES(me) };
#ifdef WAKE_FIRST
     wake();
#endif
     /* Compare-exchange. */
     if
     :: d_step { signal == down -> FLUSH_BUFFER(me); signal = up };
#ifndef WAKE_FIRST
        wake()
#endif
     :: d_step { signal != down -> FLUSH_BUFFER(me); NOTE_CLOSED(me) }
     fi
  :: d_step { signal != down -> LOOK_FLUSHES(me); NOTE_CLOSED(me) }
  fi
}

#define PUBLISH d_step { issued[me] < 2 * PUSHES -> issued[me] = issued[me] + 2 }

proctype Producer(byte me)
{
  do
#ifdef SIGNAL_FIRST
  :: issued[me] < 2 * PUSHES -> raise_after_publishing(); PUBLISH
#else
  :: PUBLISH; raise_after_publishing()
#endif
#ifdef FLUSH
  :: d_step { issued[me] == 2 * PUSHES -> FLUSH_BUFFER(me); joined = joined || me == 0 }; break
#else
  :: issued[me] == 2 * PUSHES -> break
#endif
  od
}

#ifdef DRAIN_PAST_END
#define MAY_TAKE true
#else
/* Asked again after each decref, in which others were attached. */
#define MAY_TAKE (signal != closed)
#endif

/* One item, by one thread at a time, as the GIL or a lock sees to. Whether it has the GIL before and after is left
 * out: what others can do between two items if it has not, they can do at most if it has. */
inline take(lane) { take_if(!gil && MAY_TAKE && HAS(lane), lane) }

inline take_if(condition, lane)
{
  atomic {
    condition ->
    assert(!over);
    assert(IS_WRITTEN(lane, head[lane]));
    assert(decrefs[lane] == head[lane]); /* each once */
    decrefs[lane]++;
#ifndef HEAD_AFTER_DECREF
    head[lane]++
  }
#else
    item = head[lane] + 1
  };
  d_step { head[lane] = item; item = 0 }
#endif
#ifdef CONTAINER
  ;
  if
  :: head[lane] == 1 -> begun++
  :: else
  fi
#endif
}

inline take_apart()
{
  d_step { !gil && MAY_TAKE && begun > 0 -> assert(!over); begun-- }
}

/* Any attached thread. */
active proctype Attached()
{
  byte item;

#ifdef FLUSH
  joined;
#ifdef FLUSH_ASKS
  if
  :: signal == up ->
#endif
     do
     :: take(0)
     :: !HAS(0) -> break
     od;
#ifdef FLUSH_ASKS
  :: signal != up
  fi;
#endif
  assert(head[0] == PUSHES)
#else
  if
  :: signal == up -> /* seen once; then it takes as much as it likes, as late as it likes */
     do
     :: take(0)
     :: take(1)
#ifdef CONTAINER
     :: take_apart()
#endif
     :: break
     od;
#if defined(CONTAINER) && !defined(LEAVE_QUIETLY)
     if
     :: begun > 0 ->
        if
        :: d_step { signal == down -> signal = up }; wake()
        :: signal != down
        fi
     :: begun == 0
     fi;
#endif
#ifdef DRAIN_LOWERS
     if
     :: !HAS(0) && !HAS(1) -> compare_exchange(up, down)
     :: else
     fi
#endif
  :: true
  fi
#endif
}

/* Sets `found`. The tail first, and a comparison by order: of the ways to compare two words that both move, the one
 * that calls most lanes empty. The containers after the lanes they come from. */
inline look_at_lanes()
{
  d_step { found = false; lane = 0 };
  do
  :: d_step { !found && lane < PRODUCERS -> tail = TAIL(lane) };
     d_step { found = head[lane] < tail; tail = 0; lane++ }
  :: d_step { found || lane == PRODUCERS -> found = found || begun > 0; lane = 0 }; break
  od
}

/* Until the signal is down, or closed. */
inline serve()
{
  do
  :: signal == up ->
     look_at_lanes();
     if
     :: found ->
#ifdef NEVER_DRAINS
        skip
#else
        if
#ifdef NO_GATE
        :: visitor = true;
#else
        :: d_step { !shut -> visitor = true };
#endif
           /* Attaches, which may mean waiting for the GIL. */
           if
           :: take(0)
           :: take(1)
#ifdef CONTAINER
           :: take_apart()
#endif
           :: d_step { !gil && !(MAY_TAKE && (HAS(0) || HAS(1) || begun > 0)) -> /* others were faster */
                assert(!over) }
           fi;
           visitor = false
#ifndef NO_GATE
        :: shut -> signal == closed /* turned away: what is left is the last drain's */
#endif
        fi
#endif
     :: !found ->
#ifdef NO_SECOND_LOOK
        signal = down;
        break
#else
#ifdef BARRIER_FIRST
        heavy_barrier();
#endif
#ifdef LOWER_BY_STORE
        signal = down;
#else
        compare_exchange(up, down);
#endif
#if !defined(NO_HEAVY_BARRIER) && !defined(BARRIER_FIRST)
        heavy_barrier();
#endif
        look_at_lanes();
        if
        :: !found -> break
        :: found -> compare_exchange(down, up) /* it is awake: nobody to wake */
        fi
#endif
     fi
  :: signal != up -> break
  od
}

/* The futex: the kernel compares the word and puts the thread to sleep in one step. */
#ifdef SLEEP_REGARDLESS
#define SLEEP waiting = true
#else
#define SLEEP waiting = asleep
#endif

active proctype Reaper()
{
  byte lane, tail, item;
  bool found;

end_none:
  do
  :: running ->
     do
     :: over -> break
     :: !over ->
        serve();
#ifdef LOOK_THEN_ANNOUNCE
        if
        :: signal != up && !over -> asleep = true; SLEEP
        :: else
        fi;
#else
        asleep = true;
        if
        :: signal != up && !over -> SLEEP
        :: else -> asleep = false
        fi;
#endif
end_asleep:
        !waiting
     od;
     running = false
  od
}

#ifdef CLOSE
active proctype End()
{
  byte lane, item;

#ifdef WAIT_ATTACHED
  gil = true;
#endif
  shut = true;
#ifndef NO_GATE
  !visitor;
#endif
#ifdef WAIT_ATTACHED
  gil = false;
#endif
#ifndef CLOSE_LATE
  signal = closed; /* exchange */
#ifndef NO_CLOSE_BARRIER
  heavy_barrier();
#endif
#endif
  do
  :: take_if(lane < PRODUCERS && HAS(lane), lane)
  :: lane < PRODUCERS && !HAS(lane) -> lane++
  :: lane == PRODUCERS -> break
  od;
#ifdef CLOSE_LATE
  signal = closed;
  heavy_barrier();
#endif
  over = true;
  wake_sleeper()
}
#endif

/* When nobody can do anything any more. */
active proctype Rest()
{
  byte lane, leaked;

  timeout;
  d_step {
    assert(!visitor && !gil);
    if
    :: over -> assert(signal == closed); assert(!running)
    :: else -> assert(signal == down); assert(!running || asleep && waiting); assert(begun == 0)
    fi;
    do
    :: lane < PRODUCERS ->
       assert(visible[lane] == 2 * PUSHES);
       leaked = PUSHES - head[lane];
       assert(over || leaked == 0);
       assert(leaked <= told_closed[lane]);
#ifdef COUNT_WHEN_TOLD
       leaked = told_closed[lane];
#endif
       assert(decrefs[lane] + leaked == PUSHES);
       lane++
    :: else -> break
    od
  }
}

init { atomic { run Producer(0); run Producer(1) } }
