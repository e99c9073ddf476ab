package handover

// Effect is what an order, beside moving the fence, does to the bucket's data.
type Effect bool

// The effects.
const (
	Keep Effect = false
	Wipe Effect = true
)

// Next gives the fence that an order leads to and what happens to the data, or false if
// the order is refused. seq is the number of parts that Activate was told. Every store
// follows this table, and the checker of the protocol runs it.
//
//	order       accepted only if                     leads to
//	Seal        epoch rises, not owned here          sealed, no parts, data wiped
//	Activate    sealed in this epoch, all parts      active
//	Freeze      epoch rises, active or read-only     read-only
//	SealSource  read-only in this epoch              sealed
//	Reactivate  epoch rises, active or read-only     active
//	Purge       sealed in this epoch                 sealed, data wiped
//	Recover     epoch rises, sealed                  active
//
// An order that was carried out already, and whose fence nobody has moved since, is
// accepted again and changes nothing. Seal and Freeze are the exceptions: their second
// carrying out would be somebody else's, who must take a new epoch.
func Next(f Fence, op Op, epoch, seq int64) (Fence, Effect, bool) {
	rises, same := f.Epoch < epoch, f.Epoch == epoch
	owned := f.Mode == Active || f.Mode == ReadOnly
	to := func(m Mode, seq int64) Fence { return Fence{Bucket: f.Bucket, Epoch: epoch, Mode: m, Seq: seq} }
	switch op {
	case Seal:
		return to(Sealed, 0), Wipe, rises && !owned
	case Activate:
		return to(Active, f.Seq), Keep, same && f.Seq == seq && (f.Mode == Sealed || f.Mode == Active)
	case Freeze:
		return to(ReadOnly, 0), Keep, rises && owned
	case SealSource:
		return to(Sealed, f.Seq), Keep, same && (f.Mode == ReadOnly || f.Mode == Sealed)
	case Reactivate:
		return to(Active, 0), Keep, rises && owned || same && f.Mode == Active
	case Purge:
		return to(Sealed, f.Seq), Wipe, same && f.Mode == Sealed
	case Recover:
		return to(Active, f.Seq), Keep, rises && f.Mode == Sealed || same && f.Mode == Active
	}
	return f, Keep, false
}

// Admit gives the fence after a part was stored, or false if the part is refused: only a
// bucket sealed in this epoch is filled, with parts whose numbers rise one by one.
func Admit(f Fence, epoch, seq int64) (Fence, bool) {
	ok := f.Mode == Sealed && f.Epoch == epoch && f.Seq+1 == seq
	f.Seq = seq
	return f, ok
}
