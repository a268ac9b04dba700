/*
 * Who sends through a lane: one dispatcher at a time, so that the number's pace is kept by one. Two dispatchers, one lane,
 * crashes at any step, and time that passes at any moment. Every "atomic" about the database is one transaction:
 *
 *   src/domain/message/message_lane.c     message_lanes_keep (dispatcher_lease, message_lanes_take, lanes_read), message_lanes_release
 *   src/domain/sending/send_store.c       lanes_keep, pick_and_send, lanes_release
 *   src/program/dispatcher/main.c         start_waiting
 *
 * Of time is left what decides. A dispatcher counts its own time from before it asked for its lease, by its monotonic clock, and
 * that time is shorter than the lease (LEASE_MARGIN_MS): so a lease is over in the database only after everything that the
 * dispatcher may do under it is over by its own clock. A request carries that moment with it.
 *
 * The mutations -DMUTATE_... each break one rule; tests/model/model.test.js sees that spin finds each of them.
 */
#define NOBODY 255

/* What lies in the database. */
byte owner = NOBODY;
bool lease[2];    /* dispatcher_lease.lease_until is in the future */

/* What each dispatcher knows, and its own time. */
bool owned[2];    /* the lane is among its own */
bool known[2];    /* now < owned_until */
bool asked[2];    /* the time of a lease that it has asked for, and not heard of yet */
bool request[2];  /* prepared, and waits for its turn */
bool in_time[2];  /* now < leave_by of that */

active proctype time()
{
    byte i;
end:
    do
    :: atomic { select(i : 0 .. 1);
           if
           :: known[i] -> known[i] = false
           :: asked[i] -> asked[i] = false
           :: in_time[i] -> in_time[i] = false
#ifdef MUTATE_NO_MARGIN
           :: lease[i] -> lease[i] = false
#else
           :: lease[i] && !known[i] && !asked[i] && !in_time[i] -> lease[i] = false
#endif
           :: else
           fi }
    od
}

active [2] proctype dispatcher()
{
    byte me = _pid - 1;
    bool is_mine;

idle:
end:
    do
    /* message_lanes_keep, in its transaction; and what comes of it, once its answer has been read */
    :: atomic { lease[me] = true; asked[me] = true;
           if
           :: owner == NOBODY -> owner = me
           :: owner != NOBODY && owner != me && !lease[owner] -> owner = me
           :: owner != NOBODY && owner != me && !lease[owner] -> owner = NOBODY /* nothing waits in it */
           :: else
           fi;
           is_mine = (owner == me) };
       if
       :: atomic { owned[me] = is_mine; known[me] = asked[me]; asked[me] = false }
       :: goto dead
       fi
    /* pick_and_send: what leaves later than it may is not sent */
    :: atomic { owned[me] && known[me] && !request[me] -> request[me] = true; in_time[me] = true }
    /* start_waiting */
#ifdef MUTATE_NO_LEAVE_BY
    :: atomic { request[me] -> request[me] = false; assert(owner == me); in_time[me] = false }
#else
    :: atomic { request[me] && in_time[me] -> request[me] = false; assert(owner == me); in_time[me] = false }
    :: atomic { request[me] && !in_time[me] -> request[me] = false }
#endif
    /* lanes_release: given up, and nothing of it is out */
#ifdef MUTATE_RELEASES_EARLY
    :: atomic { owned[me] ->
#else
    :: atomic { owned[me] && !request[me] ->
#endif
           owned[me] = false;
           if
           :: owner == me -> owner = NOBODY
           :: else
           fi }
    :: goto dead
    od;

dead: /* kill -9: it comes back under another name, which is the other dispatcher here */
    atomic { owned[me] = false; known[me] = false; asked[me] = false; request[me] = false; in_time[me] = false }
}
