package handovertest

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"sync"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/handover"
)

// Memory is a participant that keeps its buckets in memory: the model of how every other
// behaves, and a store for the tests of whoever gives orders. It is safe for concurrent
// use.
type Memory struct {
	mu      sync.Mutex
	fences  map[int]handover.Fence
	records map[int][][]byte // in the order of their bytes
	durable bool
	follows map[string]int64
	rules   rules
}

// rules is what Memory follows; tests of the suite break them one by one.
type rules struct {
	check func(handover.Order) error
	next  func(handover.Fence, handover.Op, int64, int64) (handover.Fence, handover.Effect, bool)
	admit func(handover.Fence, int64, int64) (handover.Fence, bool)
	keep  func([]byte) []byte // what becomes of a record that is stored
}

var _ handover.Participant = (*Memory)(nil)

// NewMemory makes a participant without any bucket, which says that it is durable.
func NewMemory() *Memory {
	return &Memory{
		fences: map[int]handover.Fence{}, records: map[int][][]byte{}, durable: true, follows: map[string]int64{},
		rules: rules{check: handover.CheckOrder, next: handover.Next, admit: handover.Admit, keep: bytes.Clone},
	}
}

// Own makes buckets active in an epoch, as a store's first fences are.
func (m *Memory) Own(epoch int64, buckets ...int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, b := range buckets {
		m.fences[b] = handover.Fence{Bucket: b, Epoch: epoch, Mode: handover.Active}
	}
}

// Say sets what Status tells beside the fences.
func (m *Memory) Say(durable bool, follows map[string]int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.durable, m.follows = durable, maps.Clone(follows)
}

// Write adds a record as a client's write would. errs: Misdirected unless the fence is
// Active.
func (m *Memory) Write(b int, record []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if f := m.fence(b); f.Mode != handover.Active {
		return misdirected(f)
	}
	m.store(b, record)
	return nil
}

// Read gives a bucket's records as a client's read would. errs: Misdirected unless the
// fence is Active or ReadOnly.
func (m *Memory) Read(b int) ([][]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if f := m.fence(b); f.Mode != handover.Active && f.Mode != handover.ReadOnly {
		return nil, misdirected(f)
	}
	return slices.Clone(m.records[b]), nil
}

func misdirected(f handover.Fence) error {
	return errs.E(errs.Misdirected, "bucket %d is not here: its fence is %q in epoch %d", f.Bucket, f.Mode, f.Epoch).
		With("bucket", f.Bucket).With("epoch", f.Epoch).With("mode", string(f.Mode))
}

func (m *Memory) fence(b int) handover.Fence {
	f := m.fences[b]
	f.Bucket = b
	return f
}

func (m *Memory) store(b int, record []byte) {
	list := m.records[b]
	at, found := slices.BinarySearchFunc(list, record, bytes.Compare)
	if !found {
		m.records[b] = slices.Insert(list, at, m.rules.keep(record))
	}
}

// Status implements handover.Participant.
func (m *Memory) Status(_ context.Context, buckets []int) (handover.Status, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(buckets) == 0 {
		buckets = slices.Sorted(maps.Keys(m.fences))
	} else if err := handover.CheckBuckets(buckets); err != nil {
		return handover.Status{}, err
	}
	s := handover.Status{Fences: make([]handover.Fence, len(buckets)), Durable: m.durable, Follows: maps.Clone(m.follows)}
	for i, b := range buckets {
		s.Fences[i] = m.fence(b)
	}
	return s, nil
}

// Order implements handover.Participant.
func (m *Memory) Order(_ context.Context, o handover.Order) ([]handover.Fence, error) {
	if err := m.rules.check(o); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var refused []handover.Fence
	for i, b := range o.Buckets {
		var seq int64
		if i < len(o.Seqs) {
			seq = o.Seqs[i]
		}
		to, effect, ok := m.rules.next(m.fence(b), o.Op, o.Epoch, seq)
		if !ok {
			refused = append(refused, m.fence(b))
			continue
		}
		m.fences[b] = to
		if effect == handover.Wipe {
			delete(m.records, b)
		}
	}
	return refused, nil
}

// Export implements handover.Participant.
func (m *Memory) Export(_ context.Context, epoch int64, buckets []int, each func(handover.Part) error) error {
	parts, err := m.parts(epoch, buckets)
	if err != nil {
		return err
	}
	for _, p := range parts { // without the mutex: nobody waits for whoever reads
		if err := each(p); err != nil {
			return err
		}
	}
	return nil
}

func (m *Memory) parts(epoch int64, buckets []int) ([]handover.Part, error) {
	if err := handover.CheckBuckets(buckets); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, b := range buckets {
		if f := m.fence(b); f.Mode == handover.Absent || epoch != 0 && f.Epoch != epoch {
			return nil, misdirected(f)
		}
	}
	var parts []handover.Part
	for _, b := range buckets {
		parts = append(parts, handover.Split(b, slices.Clone(m.records[b]))...)
	}
	return parts, nil
}

// Copy implements handover.Participant.
func (m *Memory) Copy(_ context.Context, epoch int64, parts []handover.Part) ([]handover.Fence, error) {
	if err := handover.CheckParts(epoch, parts); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	refused := map[int]bool{}
	for _, p := range parts {
		to, ok := m.rules.admit(m.fence(p.Bucket), epoch, p.Seq)
		if !ok {
			refused[p.Bucket] = true
			continue
		}
		m.fences[p.Bucket] = to
		for _, r := range p.Records {
			m.store(p.Bucket, r)
		}
	}
	var fences []handover.Fence
	for _, b := range slices.Sorted(maps.Keys(refused)) {
		fences = append(fences, m.fence(b))
	}
	return fences, nil
}

// Digest implements handover.Participant.
func (m *Memory) Digest(_ context.Context, epoch int64, buckets []int) ([]handover.Digest, error) {
	parts, err := m.parts(epoch, buckets)
	if err != nil {
		return nil, err
	}
	d := handover.NewDigester(buckets)
	for _, p := range parts {
		if err := d.Add(p); err != nil {
			return nil, err
		}
	}
	return d.Digests(), nil
}
