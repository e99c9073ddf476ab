/*
 * The handover of one bucket, a second time and in other words than the Go model: told
 * from the side of those who take part, each a process. What the clients are told is
 * compared with what they were told before, not with an ideal store. Coordinators are
 * hasty: they send parts without waiting, and trust the target's count of parts.
 *
 *   spin -a handover.pml && cc -O2 -DSAFETY -o pan pan.c && ./pan -m100000
 *
 * Mutants: -DNO_DRAIN and the like, to spin. See spin_test.go for their names.
 */

#ifndef EPOCHS
#define EPOCHS 3			/* that the journal hands out beyond the first */
#endif
#define SIZE (EPOCHS + 2)

#define HOME 0				/* SQL: a write looks at the fence and commits later */
#define AWAY 1				/* Redis: a write is one step */
#define PARTS 2				/* the seat, the record; sent even if there is nothing in it */

mtype:modes = { ABSENT, SEALED, READONLY, ACTIVE };
mtype:phases = { IDLE, PREP, COMMITTED, ABORTING };

typedef Store {
	byte epoch;
	mtype:modes mode;
	byte parts;
	byte seat;			/* who has it; 0: nobody */
	bit record;			/* the answer to Alice is kept */
}

/* What was posted in an epoch, never to be taken out again, and what was acknowledged. */
typedef Post {
	bit from;			/* the source */
	bit seal, freeze, seat, record, sealsource, activate, reactivate, purge;
	bit sealed, frozen, sourcesealed, activated, reactivated;
	byte seatis;
	bit recordis;
}

Store store[2];
Post post[SIZE];

mtype:phases phase = IDLE;
bit owner = HOME;
byte epoch = 1;				/* the journal's: the last one handed out */

byte underway;				/* writes at home between their two steps */
byte winner;				/* who was told that the seat is theirs; 0: nobody */

#ifdef SEAL_LOST
Store before[2];			/* as it was when it was last not sealed */
#endif

#define ALICE 1				/* sends a key, and asks again and again */
#define BOB 2				/* each of whose requests is a new one */

#define LEFT (epoch < EPOCHS + 1)
#define OWNED(s) (store[s].mode == ACTIVE || store[s].mode == READONLY)
#define RISES(s, e) (store[s].epoch < e)
#define SAME(s, e) (store[s].epoch == e)

#ifdef NO_DRAIN
#define DRAINED(s) true
#else
#define DRAINED(s) (s == AWAY || underway == 0)
#endif
#ifdef COPY_NO_EPOCH
#define FILLS(s, e) true
#else
#define FILLS(s, e) SAME(s, e)
#endif
#ifdef COPY_NO_SEQ
#define NEXT(s, n) true
#else
#define NEXT(s, n) (store[s].parts + 1 == n)
#endif
#ifdef ACTIVATE_NO_EPOCH
#define MINE(s, e) true
#else
#define MINE(s, e) SAME(s, e)
#endif
#ifdef READS_SEALED
#define READ(s) (store[s].mode != ABSENT)
#else
#define READ(s) OWNED(s)
#endif
#ifdef ABORT_NO_CAS
#define STILL(e) true
#else
#define STILL(e) (phase == PREP && epoch == e)
#endif
#ifdef BOTH_ACTIVE
#define REVOKED(e) true
#else
#define REVOKED(e) post[e].sourcesealed
#endif

#ifdef WARM_TRUSTED
#define COPIED(e) true
#else
#ifdef RECORDS_STAY
#define COPIED(e) (store[post[e].from].seat == post[e].seatis)
#else
#define COPIED(e) (store[post[e].from].seat == post[e].seatis && store[post[e].from].record == post[e].recordis)
#endif
#endif

/* I1 and I5. I2 is asked where clients are answered. */
inline check() {
	assert(!(OWNED(HOME) && OWNED(AWAY)));
	assert(store[1 - owner].mode != ACTIVE);
	assert(phase != IDLE || store[owner].mode == ACTIVE)
}

inline fence(at_, is_, to_) {
	store[at_].epoch = is_;
	store[at_].mode = to_;
#ifdef SEAL_LOST
	if
	:: to_ != SEALED -> before[at_].epoch = is_; before[at_].mode = to_
	:: else
	fi;
#endif
	check()
}

inline wipe(at_) {
	store[at_].seat = 0;
	store[at_].record = 0
}

/* The seat is sold at most once, and whoever was told so is told so again. */
inline hold(at_, who_) {
	if
	:: who_ == ALICE && store[at_].record ->
		assert(winner == ALICE)
	:: !(who_ == ALICE && store[at_].record) && store[at_].seat == 0 ->
		assert(winner == 0);
		store[at_].seat = who_;
		winner = who_;
#ifndef NO_IDEMPOTENCY
		store[at_].record = (who_ == ALICE)
#endif
	:: !(who_ == ALICE && store[at_].record) && store[at_].seat != 0 ->
		assert(winner != 0 && !(who_ == ALICE && winner == ALICE))
	fi
}

/* A client knows nothing of owners: it asks either store, at any time. */
proctype client(byte me) {
	do
	:: atomic { store[AWAY].mode == ACTIVE -> hold(AWAY, me) }
	:: atomic { store[HOME].mode == ACTIVE -> underway++ };
		if
		:: atomic { hold(HOME, me); underway-- }
		:: atomic { underway-- }	/* a crash, a rollback */
		fi
	:: atomic { READ(HOME) -> assert(store[HOME].seat == winner) }
	:: atomic { READ(AWAY) -> assert(store[AWAY].seat == winner) }
	od
}

/* Whatever was posted arrives, late, again, or never. */
proctype network() {
	byte e;
	bit s, t;
	do
	:: atomic {
		select(e : 2 .. SIZE - 1);
		s = post[e].from;
		t = 1 - s;
		if
		:: post[e].seal && RISES(t, e) && !OWNED(t) && DRAINED(t) ->
			store[t].parts = 0;
			wipe(t);
			fence(t, e, SEALED);
			post[e].sealed = 1
		:: post[e].freeze && RISES(s, e) && OWNED(s) && DRAINED(s) ->
			store[s].parts = 0;
			fence(s, e, READONLY);
			post[e].frozen = 1
		:: post[e].seat && store[t].mode == SEALED && FILLS(t, e) && NEXT(t, 1) ->
			store[t].parts = 1;
			store[t].seat = post[e].seatis
		:: post[e].record && store[t].mode == SEALED && FILLS(t, e) && NEXT(t, 2) ->
			store[t].parts = 2;
			store[t].record = post[e].recordis
		:: post[e].sealsource && SAME(s, e) && (store[s].mode == READONLY || store[s].mode == SEALED) && DRAINED(s) ->
			fence(s, e, SEALED);
			post[e].sourcesealed = 1
		:: post[e].activate && MINE(t, e) && store[t].parts == PARTS && (store[t].mode == SEALED || store[t].mode == ACTIVE) && DRAINED(t) ->
			fence(t, store[t].epoch, ACTIVE);
			post[e].activated = 1
		:: post[e].reactivate && (RISES(s, e) && OWNED(s) || SAME(s, e) && store[s].mode == ACTIVE) && DRAINED(s) ->
			store[s].parts = 0;
			fence(s, e, ACTIVE);
			post[e].reactivated = 1
		:: post[e].purge && SAME(s, e) && store[s].mode == SEALED ->
			wipe(s)
		:: else			/* refused, or nothing posted */
		fi;
		e = 0; s = 0; t = 0
	}
	od
}

/* take hands out the next epoch, in the step that looks at the journal. */
inline take(to_) {
	epoch++;
	e = epoch;
	post[e].from = owner;
	phase = to_;
	check()
}

/* Coordinators. One may rest wherever a statement ends, for ever or until it is long out
 * of date; and where it waits it may lose its patience and look at the journal anew. */
proctype coordinator() {
	byte e;
	bit s;
again:
	atomic { e = 0; s = 0 };
	if
	:: atomic { phase == IDLE && LEFT -> take(PREP); post[e].seal = 1 } -> goto waitseal
	:: atomic { phase == PREP && LEFT -> take(PREP); post[e].seal = 1 } -> goto waitseal
	:: atomic { phase == PREP -> e = epoch; s = owner } -> goto giveup
	:: atomic { phase == ABORTING -> e = epoch } -> goto reactivate
	:: atomic { phase == ABORTING && LEFT -> take(ABORTING) } -> goto reactivate
	:: atomic { phase == COMMITTED -> e = epoch } -> goto forward
	fi;

waitseal:
	if
	:: atomic { post[e].sealed -> post[e].freeze = 1 }
	:: atomic { post[e].sealed -> post[e].seatis = store[post[e].from].seat; post[e].seat = 1 } -> goto warm
	:: goto again
	fi;
	if
	:: atomic { post[e].frozen && SAME(post[e].from, e) ->
		post[e].seatis = store[post[e].from].seat;
		post[e].seat = 1 }
	:: goto again
	fi;
	if
	:: atomic { SAME(post[e].from, e) ->
#ifndef RECORDS_STAY
		post[e].recordis = store[post[e].from].record;
#endif
		post[e].record = 1 }
	:: goto again
	fi;

counted:
	if
	:: atomic { SAME(1 - post[e].from, e) && store[1 - post[e].from].mode == SEALED && store[1 - post[e].from].parts == PARTS -> skip }
	:: goto again
	fi;
	if
	:: atomic { phase == PREP && epoch == e -> phase = COMMITTED; owner = 1 - post[e].from; check() }
	:: goto again
	fi;

forward:				/* committed in epoch e, by whomever: there is no way back */
	post[e].sealsource = 1;
	if
	:: atomic { REVOKED(e) -> post[e].activate = 1 }
	:: goto again
	fi;
	if
	:: atomic { post[e].activated && phase == COMMITTED && epoch == e -> phase = IDLE; check(); post[e].purge = 1 }
	:: goto again
	fi;
	goto again;

warm:					/* the seat was copied before the freeze, the record is now */
	atomic {
#ifndef RECORDS_STAY
		post[e].recordis = store[post[e].from].record;
#endif
		post[e].record = 1;
		post[e].freeze = 1
	};
	if
	:: atomic { post[e].frozen && SAME(post[e].from, e) && COPIED(e) -> skip } -> goto counted
	:: goto again
	fi;

giveup:					/* who has seen prep(e) wants to abort; s is the source */
	if
	:: atomic { STILL(e) && LEFT -> owner = s; take(ABORTING) }
	:: goto again
	fi;

reactivate:
	post[e].reactivate = 1;
	if
	:: atomic { post[e].reactivated && phase == ABORTING && epoch == e -> phase = IDLE; check() }
	:: goto again
	fi;
	goto again
}

#ifdef TIMER_UNFREEZES
proctype timer() {
	do
	:: atomic { store[HOME].mode == READONLY -> fence(HOME, store[HOME].epoch, ACTIVE) }
	:: atomic { store[AWAY].mode == READONLY -> fence(AWAY, store[AWAY].epoch, ACTIVE) }
	od
}
#endif

#ifdef SEAL_LOST
proctype restart() {
	do
	:: atomic { store[HOME].mode == SEALED && before[HOME].mode != 0 -> fence(HOME, before[HOME].epoch, before[HOME].mode) }
	:: atomic { store[AWAY].mode == SEALED && before[AWAY].mode != 0 -> fence(AWAY, before[AWAY].epoch, before[AWAY].mode) }
	od
}
#endif

init {
	atomic {
		store[HOME].epoch = 1; store[HOME].mode = ACTIVE;
		store[AWAY].mode = ABSENT;
#ifdef SEAL_LOST
		before[HOME].epoch = 1; before[HOME].mode = ACTIVE;
		run restart();
#endif
#ifdef TIMER_UNFREEZES
		run timer();
#endif
		run client(ALICE);
		run client(BOB);
		run network();
		run coordinator();
		run coordinator()
	}
}
