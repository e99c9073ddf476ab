package handover

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"hash"

	"banyan/modules/kernel/errs"
)

// Split cuts a bucket's records, which are in the order of their bytes, into parts
// numbered from 1: each as full as MaxPartRecords and MaxPartBytes allow. The parts
// share the records' memory.
func Split(bucket int, records [][]byte) []Part {
	var parts []Part
	begin, size := 0, 0
	cut := func(end int) {
		if end > begin {
			parts = append(parts, Part{Bucket: bucket, Seq: int64(len(parts) + 1), Records: records[begin:end:end]})
		}
		begin, size = end, 0
	}
	for i, r := range records {
		if i-begin == MaxPartRecords || size+len(r)+1 > MaxPartBytes {
			cut(i)
		}
		size += len(r) + 1 // with its newline
	}
	cut(len(records))
	return parts
}

// Digester reads an export and tells what it comes to. It refuses what no export gives:
// parts of buckets that were not asked for or in another order, numbers that do not rise
// one by one from 1, and records that do not rise in the order of their bytes.
type Digester struct {
	digests []Digest
	at      int   // the bucket under way
	seq     int64 // of its last part
	last    []byte
	sum     hash.Hash
}

// NewDigester makes a Digester of an export of buckets, in the order asked for.
func NewDigester(buckets []int) *Digester {
	d := &Digester{digests: make([]Digest, len(buckets)), sum: sha256.New()}
	for i, b := range buckets {
		d.digests[i].Bucket = b
	}
	return d
}

// Add reads a part. errs: BadGateway if no export gives it so; the Digester is of no use
// then.
func (d *Digester) Add(p Part) error {
	for d.at < len(d.digests) && d.digests[d.at].Bucket != p.Bucket {
		d.finish()
	}
	if d.at == len(d.digests) {
		return errs.E(errs.BadGateway, "a part of bucket %d comes where none is due", p.Bucket)
	}
	if d.seq++; p.Seq != d.seq {
		return errs.E(errs.BadGateway, "part %d of bucket %d comes where part %d is due", p.Seq, p.Bucket, d.seq)
	}
	for _, r := range p.Records {
		if d.digests[d.at].Records > 0 && bytes.Compare(d.last, r) >= 0 {
			return errs.E(errs.BadGateway, "the records of bucket %d are not in the order of their bytes: number %d", p.Bucket, d.digests[d.at].Records+1)
		}
		d.last = append(d.last[:0], r...)
		d.digests[d.at].Records++
		_, _ = d.sum.Write(r)
		_, _ = d.sum.Write([]byte{'\n'})
	}
	return nil
}

func (d *Digester) finish() {
	d.digests[d.at].SHA256 = hex.EncodeToString(d.sum.Sum(nil))
	d.sum.Reset()
	d.at, d.seq = d.at+1, 0
}

// Digests ends the reading and gives a digest for each bucket, in the order asked for.
func (d *Digester) Digests() []Digest {
	for d.at < len(d.digests) {
		d.finish()
	}
	return d.digests
}
