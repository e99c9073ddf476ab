// Package handover moves buckets of a route's data between the home and the service that
// was extracted from it, while requests go on. It decides and remembers; what an order
// means to a store is said in package banyan/modules/kernel/handover.
//
//	Journal      who owns which bucket, in the router's SQL schema; it alone decides
//	             whether a move is committed or given up
//	Coordinator  carries moves out, recovers those that others left behind, and keeps
//	             the actual owners moving towards the desired ones
//	Map          the owners as last read from the journal, for the router's decisions
//
// A move of buckets from S to T in epoch e:
//
//	journal idle→prep · T.Seal · S.Freeze, the pause starts · S.Export→T.Copy ·
//	S.Digest = T.Digest · journal prep→committed · S.SealSource · T.Activate ·
//	journal committed→idle, the pause ends · after a while S.Purge
//
// Until the commit anything that goes wrong ends in an abort: the journal takes a new
// epoch, S.Reactivate, idle. After it there is only the way forward. Every transition of
// the journal is a compare-and-set on all buckets of the move, or has no effect; so any
// number of coordinators may work on one journal, and one that only believes that
// another is dead does no harm.
package handover

import (
	"fmt"
	"time"

	"banyan/modules/kernel/errs"
)

// Phase of a bucket, or of a move.
type Phase uint8

// The phases. A move is never Idle, a bucket never Ended.
const (
	Idle      Phase = iota // nothing is under way
	Prep                   // being copied; the source owns it
	Committed              // the target owns it; source and target may not know yet
	Aborting               // given up; the source owns it, and may not know yet
	Ended                  // over, whatever the outcome
)

// phases are the names as the journal writes them.
func phases() [5]string { return [...]string{"idle", "prep", "committed", "aborting", "ended"} }

// String gives the phase as the journal writes it.
func (p Phase) String() string { return phases()[p] }

// MarshalText writes the phase as String does.
func (p Phase) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

func parsePhase(s string) (Phase, error) {
	for p, name := range phases() {
		if s == name {
			return Phase(p), nil
		}
	}
	return 0, fmt.Errorf("handover: the journal has the phase %q, which this version does not know", s)
}

// Kind tells a move from the disaster's way back.
type Kind string

// The kinds.
const (
	Moving     Kind = "move"
	Recovering Kind = "recover" // the source is gone for good: the home takes what it has
)

// Outcome of a move that has ended.
type Outcome string

// The outcomes.
const (
	Moved     Outcome = "moved"
	Aborted   Outcome = "aborted"
	Recovered Outcome = "recovered" // owned by the home, without what the other side had since
)

// Move is a row of the journal: buckets that change their owner together.
type Move struct {
	ID          int64         `json:"id"` // its first epoch
	Epoch       int64         `json:"epoch"`
	Kind        Kind          `json:"kind"`
	Phase       Phase         `json:"phase"`
	Source      string        `json:"source"`
	Target      string        `json:"target"`
	Buckets     int           `json:"buckets"`
	Coordinator string        `json:"coordinator"`
	HeartbeatAt int64         `json:"heartbeat_at"` // microseconds since 1970, database's clock
	StartedAt   int64         `json:"started_at"`
	EndedAt     int64         `json:"ended_at"` // 0 while it goes on
	Outcome     Outcome       `json:"outcome"`
	Reason      string        `json:"reason"`
	Records     int64         `json:"records"`
	Pause       time.Duration `json:"pause"` // nanoseconds; 0 if it was recovered by another coordinator
	Error       string        `json:"error"` // why it was aborted, or what it waits for

	changed int64 // the route's counter at its last transition
	parts   []int64
}

// Batch is what one move is to move.
type Batch struct {
	Source  string `json:"source"`
	Target  string `json:"target"`
	Buckets []int  `json:"buckets"` // each once; at most MaxBuckets of the kernel's package
	Reason  string `json:"reason"`
}

// Bucket is what the journal says of a bucket. Owner and Target are indexes into the
// snapshot's names.
type Bucket struct {
	Epoch   int64
	Move    int64 // 0 if none
	Changed int64 // the route's counter at its last transition
	Owner   uint8
	Target  uint8 // Owner unless it is moving
	Phase   Phase
	Refused bool // an audit found that its stores contradict the journal; see Audit
	Frozen  bool // the coordinator of this program freezes it, or has frozen it, in this epoch
}

// Snapshot is the state of all buckets of a route, by bucket. It is not changed once it
// is shared.
type Snapshot struct {
	Changes int64    // the route's counter, at least, when it was read
	Names   []string // of backends; the first is the home
	Buckets []Bucket
}

// index gives the place of a name, which it adds if it is new.
func (s *Snapshot) index(name string) (uint8, error) {
	for i, n := range s.Names {
		if n == name {
			return uint8(i), nil
		}
	}
	if len(s.Names) > 255 {
		return 0, errs.E(errs.Internal, "the journal names more than 255 backends")
	}
	s.Names = append(s.Names[:len(s.Names):len(s.Names)], name) // the names may be shared
	return uint8(len(s.Names) - 1), nil
}

// lost is the answer to a compare-and-set that found something else.
func lost(format string, args ...any) error {
	return errs.E(errs.PreconditionFailed, format, args...)
}

func isLost(err error) bool { return errs.CodeOf(err) == errs.PreconditionFailed }
