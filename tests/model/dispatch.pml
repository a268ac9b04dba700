/*
 * The protocol by which a message leaves: marks, leases, fences, outcomes that are not known. One message, two
 * dispatchers, a provider, an interpreter of the provider's events, and crashes at any step. Every "atomic" below is one
 * transaction of the program, and its comment names the function and the statement that it mirrors:
 *
 *   src/domain/message/message_queue.c      message_look, message_begin_sending, message_record_outcomes
 *   src/domain/message/message_take_over.c  message_take_over (suspects_claim, suspect_settle)
 *   src/domain/message/message_report.c     message_report_apply
 *   src/domain/message/message_change.c     message_cancel
 *   src/domain/message/message_times.c      message_expire
 *   src/domain/message/message_fallback.c   message_fall_back
 *   src/program/dispatcher/main.c           start_waiting, flight_done
 *   src/program/dispatcher/send_answer.c    send_plan_of
 *
 * Other messages are left out: no row of one is touched by a statement about another. Of time is left what decides: a
 * lease may run out at any moment, and the wait of an uncertain message too. Two things are taken as given, since no
 * protocol without the provider's help can do without them:
 *
 *   A1  No request leaves after its lease (start_waiting refuses at half of it, by the monotonic clock), and what has
 *       left is taken or not before the wait for the provider's event is over: HARKARA_SEND_TIMEOUT_MS and
 *       HARKARA_UNCERTAIN_WAIT_MS are chosen for that. A provider that takes a request later still may make a duplicate.
 *   A2  A transaction happens whole or not at all.
 *
 * With -DRESENDS=0 the category is one that is not sent again (promotional). With -DSENDERS=2 the message has a further
 * sender, to which it goes when the first one failed, was given up, or delivered nothing in time. The mutations -DMUTATE_... each break one
 * rule; tests/model/model.test.js sees that spin finds each of them.
 */
#ifndef RESENDS
#define RESENDS 1
#endif
#ifndef CRASHES
#define CRASHES 2
#endif
#ifndef ATTEMPTS_MAX
#define ATTEMPTS_MAX 3 /* MESSAGE_ATTEMPTS_MAX is 12; three show every kind of succession */
#endif
#ifndef LAPSES
#define LAPSES 2 /* leases that run out though their holder lives; those of the dead always do */
#endif
#ifndef SENDERS
#define SENDERS 1
#endif
#define NOBODY 255
#define FENCES 100 /* of one sender; the program keeps the position in the upper half of 64 bits */

mtype = { GONE, READY, SENDING, UNCERTAIN };                         /* of the queue's row */
mtype = { ACCEPTED, QUEUED, IN_SENDING, IS_UNCERTAIN, SENT, DELIVERED, FAILED, CANCELED, EXPIRED }; /* of the message */
mtype = { V_SENT, V_RETRY, V_FAILED, V_UNCERTAIN, V_RETURNED };      /* verdicts, send_plan_of */

/* What lies in the database. The accept (message_accept.c) put message and row there in one transaction. */
mtype row = READY;
mtype status = ACCEPTED;
byte fence = 0, attempt = 0;
byte sender = 0; /* the position of the one in use */
bool lease_is_over = false; /* lease_until < now() */
bool wait_is_over = false;  /* due_at <= now() of an uncertain row */
bool is_doubtful = false;   /* once its outcome was not known: nobody may say any more that it never left */
bool suspected = false;     /* message_suspect has raised the fence; suspect_settle is still to come */

/* The provider, of each sender. */
byte taken[SENDERS];   /* so often it took the message: two is a duplicate */
bool owes_event[SENDERS];

/* What only the proof sees. */
byte holder = NOBODY;  /* whose mark the row has, kept apart from the fence; NOBODY once that one is dead */
byte excused[SENDERS]; /* of the times taken, those that were put in doubt afterwards */
bool may_have_arrived = false; /* through a sender that was left, for all that we know */
byte crashes = 0, lapses = 0;

#define MAY_BEGIN (status == ACCEPTED || status == QUEUED || status == IN_SENDING || status == IS_UNCERTAIN)
#define ENDED (status == SENT || status == DELIVERED || status == FAILED || status == CANCELED || status == EXPIRED)
#define WAITS_FOR_EVENT (status == IS_UNCERTAIN && row == GONE)

#ifdef MUTATE_NO_FENCE
#define HOLDS(mine) true
#define MARKS(mine) true
#else
#define HOLDS(mine) (fence == mine)
#define MARKS(mine) (fence + 1 == mine)
#endif
#ifdef MUTATE_FENCE_FROM_ZERO
#define FENCE_OF_NEXT 0
#else
#define FENCE_OF_NEXT (sender * FENCES)
#endif
#ifdef MUTATE_SENT_BY_ANOTHER
#define IS_MINE(mine) true
#else
#define IS_MINE(mine) (mine / FENCES == sender)
#endif
#ifdef MUTATE_NO_MARK
#define IF_UNMARKED || row == READY
#else
#define IF_UNMARKED
#endif
#define HAS_NEXT (sender + 1 < SENDERS)
#ifdef MUTATE_FORGETS_DOUBT
#define DOUBTFUL false
#else
#define DOUBTFUL is_doubtful
#endif
#ifdef MUTATE_RESENDS_ALL
#define CATEGORY_RESENDS true
#else
#define CATEGORY_RESENDS RESENDS /* message_settings: the policy of the category */
#endif
#ifdef MUTATE_SUSPECT_FOR_EVER
#define LEASE_OF_SUSPECT_IS_OVER false
#else
#define LEASE_OF_SUSPECT_IS_OVER lease_is_over
#endif

/* message_fall_back: in the transaction of what brought it about. Whoever works for the sender that is left holds nothing any more. */
inline fall_back(doubt)
{
    may_have_arrived = may_have_arrived || (doubt && taken[sender] > 0);
    is_doubtful = is_doubtful || doubt;
    sender++;
    fence = FENCE_OF_NEXT; attempt = 0; row = READY; status = QUEUED;
    lease_is_over = false; wait_is_over = false; suspected = false; holder = NOBODY
}

/* kill -9: what it knew is forgotten; it begins anew at "idle". */
inline die()
{
    crashes < CRASHES -> crashes++;
    if
    :: holder == _pid -> holder = NOBODY
    :: else
    fi;
    mine = 0; held = 0; had_waited = false; is_sending = false; verdict = V_UNCERTAIN
}

/* Time passes: at any moment a lease is over, or a wait. */
active proctype time()
{
end:
    do
    :: atomic { (row == SENDING || (row == UNCERTAIN && suspected)) && !lease_is_over &&
                (holder == NOBODY || lapses < LAPSES) ->
           lease_is_over = true; lapses = lapses + (holder == NOBODY -> 0 : 1) }
    :: atomic { row == UNCERTAIN && !wait_is_over -> wait_is_over = true }
    od
}

/*
 * message_report_apply: a status of the provider. It moves forward only (message_status_may_report), and what it moves leaves
 * the queue in the same transaction. It may come late, twice, or before our own record.
 */
active proctype interpreter()
{
end:
    do
    :: atomic { owes_event[sender] ->
           if
           :: MAY_BEGIN -> status = SENT; row = GONE; holder = NOBODY; suspected = false
           :: status == SENT || status == FAILED -> status = DELIVERED; row = GONE; holder = NOBODY; suspected = false
#if SENDERS > 1
           :: (status == SENT || MAY_BEGIN) && HAS_NEXT -> fall_back(false) /* it says that it failed */
#endif
           :: else
           fi;
           if
           :: owes_event[sender] = false
           :: skip /* repeated */
           fi
       }
#if SENDERS > 1
    /* Of a sender that was left, only what it delivered moves the message. */
    :: atomic { sender > 0 && owes_event[0] ->
           if
           :: MAY_BEGIN || status == SENT || status == FAILED -> status = DELIVERED; row = GONE; holder = NOBODY; suspected = false
           :: skip
           fi;
           owes_event[0] = false
       }
    /* message_fall_back_late: nothing was delivered in time. What is being sent is left alone. */
    :: atomic { HAS_NEXT && (status == ACCEPTED || status == QUEUED || status == SENT || status == IS_UNCERTAIN) ->
           fall_back(status == SENT || status == IS_UNCERTAIN) }
#endif
    od
}

/* The tenant takes it back, or its time is over; each once at the most. What is canceled or expired never left. */
active proctype tenant()
{
end:
    if
    :: atomic { row == READY && !DOUBTFUL -> /* message_cancel */
           assert(taken[sender] == 0 && !may_have_arrived);
           row = GONE; holder = NOBODY; suspected = false; status = CANCELED }
    :: atomic { row == READY -> /* message_expire */
           assert((taken[sender] == 0 && !may_have_arrived) || DOUBTFUL);
           row = GONE; holder = NOBODY; suspected = false; status = (DOUBTFUL -> IS_UNCERTAIN : EXPIRED) }
    fi
}

active [2] proctype dispatcher()
{
    byte mine = 0, held = 0; /* the fence of a claim; of a suspect */
    bool had_waited = false, is_sending = false;
    mtype verdict = V_UNCERTAIN;

idle:
    atomic { mine = 0; held = 0; had_waited = false; is_sending = false; verdict = V_UNCERTAIN };
end:
    if
    /* message_look: what is due is remembered with the fence that it would be marked with. Nothing is taken: others may see it too,
     * though a lane has one owner at a time (lane.pml), since nothing here hangs on that. */
    :: atomic { row == READY && attempt < ATTEMPTS_MAX -> mine = fence + 1 };
       goto seen

    /* message_take_over, first transaction: message_suspect. The fence grows, so that the old holder records nothing. A lease
     * of its own guards the step that follows, should we die before it: "suspected" until that runs out. */
    :: atomic { row == SENDING && lease_is_over ->
#ifndef MUTATE_SUSPECT_KEEPS_FENCE
           fence++;
#endif
           held = fence; had_waited = false; lease_is_over = false; suspected = true; holder = _pid };
       goto suspects
    :: atomic { row == UNCERTAIN && wait_is_over && (!suspected || LEASE_OF_SUSPECT_IS_OVER) ->
           fence++; held = fence; had_waited = true; lease_is_over = false; suspected = true; holder = _pid };
       goto suspects

    /* attempts are used up: retry_plan says failed; here, so that the model ends */
    :: atomic { row == READY && attempt >= ATTEMPTS_MAX ->
           if
#if SENDERS > 1
           :: HAS_NEXT -> fall_back(false)
#endif
           :: !HAS_NEXT -> row = GONE; status = FAILED
           fi };
       goto idle
    fi;

suspects:
    if
    /* suspect_settle: suspect_becomes_uncertain; or the row is left, since an event has moved the message meanwhile */
    :: atomic { !had_waited ->
           if
           :: row != GONE && fence == held && status == IN_SENDING ->
                  row = UNCERTAIN; status = IS_UNCERTAIN; wait_is_over = false; suspected = false; excused[sender] = taken[sender]; is_doubtful = true; holder = NOBODY
           :: row != GONE && fence == held && status != IN_SENDING -> row = GONE; suspected = false; holder = NOBODY
           :: else
           fi }
    /* suspect_is_sent_again, or suspect_is_left */
    :: atomic { had_waited ->
           if
           :: row != GONE && fence == held && CATEGORY_RESENDS && attempt < ATTEMPTS_MAX && status == IS_UNCERTAIN ->
                  row = READY; status = QUEUED; suspected = false; lease_is_over = false; holder = NOBODY
           :: row != GONE && fence == held && !(CATEGORY_RESENDS && attempt < ATTEMPTS_MAX && status == IS_UNCERTAIN) ->
                  row = GONE; suspected = false; holder = NOBODY
#if SENDERS > 1
           /* given up by the workspace's policy, or no attempt is left */
           :: row != GONE && fence == held && HAS_NEXT && status == IS_UNCERTAIN -> fall_back(true)
#endif
           :: else
           fi }
    :: atomic { die() }
    fi;
    goto idle;

seen:
    if
    /* message_begin_sending and message_unqueue_moved: the mark, in a commit of its own, before a byte leaves */
    :: atomic { true ->
           is_sending = false;
           if
           :: row == READY && MARKS(mine) ->
                  fence++; attempt++; lease_is_over = false; holder = _pid; mine = fence;
                  if
                  :: MAY_BEGIN ->
                         /* Again only when every time it was taken has been put in doubt since, and the category says so. */
                         assert(taken[sender] == excused[sender] && (taken[sender] == 0 || RESENDS));
#ifndef MUTATE_NO_MARK
                         row = SENDING;
#endif
                         status = IN_SENDING; is_sending = true
                  :: else -> row = GONE; holder = NOBODY
                  fi
           :: else
           fi };
       if
       :: is_sending -> goto announced
       :: else -> goto idle
       fi
    :: atomic { die() }; goto idle
    fi;

announced:
    if
    /* start_waiting: by assumption A1 a request leaves only while the lease lasts */
    :: atomic { fence == mine && (row == SENDING IF_UNMARKED) && !lease_is_over ->
           if
           :: taken[sender]++; owes_event[sender] = true; verdict = V_SENT
           :: taken[sender]++; owes_event[sender] = true; verdict = V_UNCERTAIN /* the answer is lost */
           :: taken[sender]++; verdict = V_UNCERTAIN            /* and no event ever comes */
           :: verdict = V_RETRY                                 /* refused for now, or no byte left: was_sent is false */
           :: verdict = V_FAILED                                /* refused for good */
           :: verdict = V_UNCERTAIN                             /* not taken, and nobody says so */
           fi;
           assert(taken[sender] <= 1 || RESENDS) }
    :: atomic { fence != mine || !(row == SENDING IF_UNMARKED) || lease_is_over -> verdict = V_RETURNED }
    :: atomic { die() }; goto idle
    fi;

record:
    if
    /* message_record_outcomes: statement message_settle */
    :: atomic { true ->
           if
           :: HOLDS(mine) && (row == SENDING IF_UNMARKED) ->
                  /* A dispatcher that was believed dead changes nothing of another's claim. */
                  assert(holder == _pid);
                  if
                  :: verdict == V_SENT -> row = GONE; status = (status == IN_SENDING -> SENT : status)
#if SENDERS > 1
                  :: verdict == V_FAILED && HAS_NEXT && status == IN_SENDING -> fall_back(false)
#endif
                  :: verdict == V_FAILED && !(HAS_NEXT && status == IN_SENDING) -> row = GONE; status = (status == IN_SENDING -> FAILED : status)
                  :: verdict == V_UNCERTAIN -> row = UNCERTAIN; wait_is_over = false; suspected = false; excused[sender] = taken[sender]; is_doubtful = true;
                         status = (status == IN_SENDING -> IS_UNCERTAIN : status)
                  :: verdict == V_RETRY || verdict == V_RETURNED ->
#ifdef MUTATE_RETRY_FORGETS
                         row = GONE;
#else
                         row = READY;
#endif
                         status = (status == IN_SENDING -> QUEUED : status);
                         attempt = attempt - (verdict == V_RETURNED -> 1 : 0)
                  fi;
                  lease_is_over = false; holder = NOBODY
           /* that the provider took the message is true whoever holds the row, unless somebody is sending it again */
           :: !(HOLDS(mine) && (row == SENDING IF_UNMARKED)) && verdict == V_SENT && IS_MINE(mine) && (row == READY || row == UNCERTAIN) ->
                  assert(mine / FENCES == sender); /* what another sender did says nothing of this one */
                  row = GONE; suspected = false;
                  status = ((status == IN_SENDING || status == IS_UNCERTAIN || status == QUEUED) -> SENT : status)
           :: else
           fi };
       goto idle
    :: atomic { die() }; goto idle
    fi
}

/* Accepted is never lost: without a row in the queue a message has ended, or waits for the provider's event. */
#define NOT_LOST (row != GONE || ENDED || WAITS_FOR_EVENT)
/* Never in two minds: a message that has ended is not in the queue as one to be sent. */
ltl never_lost { [] NOT_LOST }
/* Every message ends, or waits as uncertain for the provider's word. */
ltl comes_to_an_end { <> [] (ENDED || WAITS_FOR_EVENT) }
