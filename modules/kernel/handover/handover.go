// Package handover is the vocabulary in which a bucket of data changes its owner while
// it is in use: the fence that stands beside the data in every store, the orders that
// move a fence, and the Participant that carries them out. Who decides about a move, and
// in which order it gives its orders, is not said here (package banyan/proxy/handover).
//
// A store keeps a fence for each bucket. Every write checks, in the atomic step of the
// write itself, that the fence is Active; every read, that it is Active or ReadOnly. An
// order is carried out only if the fence is as Next demands, so that an order which is
// delayed, repeated or given by somebody who was replaced has no effect.
package handover

import "context"

// Mode of a fence.
type Mode string

// The modes. A bucket that a store has never had has no fence: Absent, epoch 0.
const (
	Absent   Mode = ""
	Sealed   Mode = "sealed" // neither read nor written: owned elsewhere, or being filled
	ReadOnly Mode = "ro"     // read, not written: it is being copied from here
	Active   Mode = "active" // owned
)

// Fence is the record of who may use a bucket in a store.
type Fence struct {
	Bucket int   `json:"bucket"`
	Epoch  int64 `json:"epoch"` // of the last order that was carried out; it only rises
	Mode   Mode  `json:"mode"`
	Seq    int64 `json:"seq"` // of the last part copied in this epoch; 0: none
}

// Op is what an order is about.
type Op string

// The orders. Seal and Activate are for the target of a move, the others for its source.
const (
	Seal       Op = "seal"        // forget the bucket's data and prepare to be filled
	Activate   Op = "activate"    // own it: all parts have come
	Freeze     Op = "freeze"      // write no more; waits for writes under way
	SealSource Op = "seal-source" // read no more: it is owned elsewhere now
	Reactivate Op = "reactivate"  // the move was given up: own it again
	Purge      Op = "purge"       // forget the data of a bucket that is owned elsewhere
	Recover    Op = "recover"     // own it again as it was when sealed, for the other side is gone for good
)

// Order asks a store to move the fences of some buckets.
type Order struct {
	Op      Op      `json:"op"`
	Epoch   int64   `json:"epoch"`
	Buckets []int   `json:"buckets"`        // each once; at most MaxBuckets
	Seqs    []int64 `json:"seqs,omitempty"` // Activate: the number of parts of each bucket
}

// Part is some of a bucket's data on its way. Seq counts a bucket's parts from 1.
//
// A record is a line of JSON that holds no newline, and only the two participants know
// what it means. It is canonical: whoever stores it exports the same bytes again.
type Part struct {
	Bucket  int
	Seq     int64
	Records [][]byte // in the order of their bytes, over all parts of the bucket
}

// Digest tells what a store has of a bucket.
type Digest struct {
	Bucket  int    `json:"bucket"`
	Records int64  `json:"records"`
	SHA256  string `json:"sha256"` // of the records in their order, each followed by a newline; hexadecimal
}

// Status is what a participant says of itself.
type Status struct {
	// Fences of the buckets asked for, in their order; of all that it has when none were
	// named, in order of buckets.
	Fences []Fence `json:"fences"`
	// Durable: whatever was acknowledged survives a crash. One that is not must not
	// become owner.
	Durable bool `json:"durable"`
	// Follows says how far the participant's copies of others' data are, by source, such
	// as the last event of flights applied. A target that is behind the source of a move
	// must not become owner yet.
	Follows map[string]int64 `json:"follows"`
}

// Bounds of what is sent at once.
const (
	MaxBuckets     = 1000    // in an order, an export or a digest
	MaxPartRecords = 500     // in a part
	MaxPartBytes   = 1 << 20 // of records in a part, unless it has a single record
)

// Participant is a store that can take over buckets and hand them on. Orders are carried
// out bucket by bucket: those whose fence is not as demanded are left as they are and
// come back with the fence that they have. After an error it is not known what happened;
// an order that was carried out twice has done no more than once.
type Participant interface {
	// Status tells the fences of the buckets, of all if none are named.
	Status(ctx context.Context, buckets []int) (Status, error)
	// Order moves fences and gives those that it refused to move.
	Order(ctx context.Context, o Order) (refused []Fence, err error)
	// Export gives the data of buckets whose fence is not Absent, part by part, bucket
	// by bucket in the order asked for; a bucket without data has no part. It is stable
	// unless the fence is Active. errs.Misdirected if a fence is Absent, or of another
	// epoch than the one named (0 accepts any).
	Export(ctx context.Context, epoch int64, buckets []int, each func(Part) error) error
	// Copy stores parts of one epoch. A part that comes again is refused: see Admit.
	Copy(ctx context.Context, epoch int64, parts []Part) (refused []Fence, err error)
	// Digest reads what Export would give and tells what it comes to.
	Digest(ctx context.Context, epoch int64, buckets []int) ([]Digest, error)
}
