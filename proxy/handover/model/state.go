package model

// side is one of the two stores.
type side uint8

const (
	home      side = iota // SQL: checks the fence and commits in two steps
	extracted             // Redis: one step
)

func (s side) other() side { return 1 - s }

// mode of a fence, as handover.Mode.
type mode uint8

const (
	absent mode = iota
	sealed
	readOnly
	active
)

// fence is handover.Fence of the one bucket.
type fence struct {
	epoch uint8
	mode  mode
	seq   uint8
}

func (f fence) readable() bool { return f.mode == readOnly || f.mode == active }

// store is a fence and the data beside it.
type store struct {
	fence fence
	data  data
	disk  fence // what a restart brings back; only of SealLost
}

// phase of the journal.
type phase uint8

const (
	idle phase = iota
	prep
	committed
	aborting
)

// kind of what an epoch was taken for.
type kind uint8

const (
	unused kind = iota
	move
	abort
)

// stage is how far an epoch's work has come, and so what was sent in it: everything up
// to the stage may be delivered at any time, again and again.
type stage uint8

// The stages of a move.
const (
	notBegun       stage = iota
	sealSent             // Seal is on its way; its answer is not known
	warmFirst            // Seal was carried out, and copying begins before the freeze
	warmSeatSent         // the seat is on its way
	warmSecond           // it was stored, or there is none
	warmRecordSent       // the record is on its way
	warmDigest           // it was stored, or there is none
	freezeSent           // Seal was carried out, and what is copied before the freeze
	exportFirst          // Freeze was carried out
	seatSent             // the seat is on its way
	exportSecond         // it was stored, or there is none
	recordSent           // the record is on its way
	digestSource         // it was stored, or there is none
	digestTarget         // the source's digest is known
	verified             // the target's is the same
	sealSourceSent       // committed; SealSource is on its way
	forgotten            // Activate was sent, but who knew of SealSource's answer is dead
	activateSent         // SealSource was carried out; Activate is on its way
	activated            // Activate was carried out
	finished             // the journal is idle; Purge is on its way
)

// The stages of an abort.
const (
	reactivateSent stage = iota + 1
	reactivated
	abortFinished
)

// attempt is the work in one epoch, by all who ever do it. Before the commit that is the
// coordinator to whom the journal gave the epoch, and nobody else. After it, anyone: the
// stage is then what the best informed of them knows.
type attempt struct {
	kind   kind
	from   side // the source
	warm   bool // the data is copied before the freeze
	stage  stage
	sent   data // what was exported so far
	digest data // of the source, in digestTarget only
}

// writers that can be under way at the home store at once.
const writers = 2

// maxEpochs that an exploration can be asked for.
const maxEpochs = 4

// firstEpoch is that of the home store in the beginning.
const firstEpoch = 1

// state is the whole world.
type state struct {
	phase    phase
	owner    side
	used     uint8          // epochs handed out; the journal's epoch is firstEpoch + used
	open     [writers]write // that have passed the home store's fence and not committed yet
	object   data           // the sequential object: what every answer must come from
	stores   [2]store
	attempts [maxEpochs]attempt // of the epochs after the first
}

func (s *state) epoch() uint8 { return firstEpoch + s.used }

func (s *state) writing() bool { return s.open != [writers]write{none, none} }

// key is a state in two words.
type key [2]uint64

// packer fills a word from its low end.
type packer struct {
	word uint64
	at   uint
}

func (p *packer) put(v uint8, bits uint) {
	p.word |= uint64(v) << p.at
	p.at += bits
}

func (p *packer) get(bits uint) uint8 {
	v := uint8(p.word >> p.at & (1<<bits - 1))
	p.at += bits
	return v
}

func (p *packer) putBool(v bool) {
	if v {
		p.word |= 1 << p.at
	}
	p.at++
}

func (p *packer) getBool() bool { return p.get(1) == 1 }

func (p *packer) putData(d data) {
	p.put(uint8(d.seat), 2)
	p.putBool(d.record)
}

func (p *packer) getData() data { return data{seat: seat(p.get(2)), record: p.getBool()} }

func (p *packer) putFence(f fence) {
	p.put(f.epoch, 3)
	p.put(uint8(f.mode), 2)
	p.put(f.seq, 2)
}

func (p *packer) getFence() fence {
	return fence{epoch: p.get(3), mode: mode(p.get(2)), seq: p.get(2)}
}

func (s *state) pack() key {
	var a, b packer
	a.put(uint8(s.phase), 2)
	a.put(uint8(s.owner), 1)
	a.put(s.used, 3)
	for _, w := range s.open {
		a.put(uint8(w), 2)
	}
	a.putData(s.object)
	for i := range s.stores {
		a.putFence(s.stores[i].fence)
		a.putData(s.stores[i].data)
		a.putFence(s.stores[i].disk)
	}
	for i := range s.attempts {
		t := &s.attempts[i]
		b.put(uint8(t.kind), 2)
		b.put(uint8(t.from), 1)
		b.put(uint8(t.stage), 5)
		b.putBool(t.warm)
		b.putData(t.sent)
		b.putData(t.digest)
	}
	return key{a.word, b.word}
}

func unpack(k key) state {
	var s state
	a, b := packer{word: k[0]}, packer{word: k[1]}
	s.phase, s.owner, s.used = phase(a.get(2)), side(a.get(1)), a.get(3)
	for i := range s.open {
		s.open[i] = write(a.get(2))
	}
	s.object = a.getData()
	for i := range s.stores {
		s.stores[i] = store{fence: a.getFence(), data: a.getData(), disk: a.getFence()}
	}
	for i := range s.attempts {
		s.attempts[i] = attempt{
			kind: kind(b.get(2)), from: side(b.get(1)), stage: stage(b.get(5)),
			warm: b.getBool(), sent: b.getData(), digest: b.getData(),
		}
	}
	return s
}
