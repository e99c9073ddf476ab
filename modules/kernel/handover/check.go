package handover

import (
	"bytes"
	"encoding/json"
	"slices"
	"unicode/utf8"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/errs"
)

// MaxRecordBytes bounds a record, in bytes without its newline. One that is larger than
// MaxPartBytes is a part of its own.
const MaxRecordBytes = 16 << 20

// Ops gives every order that there is.
func Ops() []Op { return []Op{Seal, Activate, Freeze, SealSource, Reactivate, Purge, Recover} }

// CheckOrder tells what is wrong with an order, whoever gave it: an order that does not
// exist, an epoch that is not positive, buckets as in CheckBuckets, numbers of parts
// elsewhere than at Activate or not one for each bucket. errs: Invalid, with "field".
func CheckOrder(o Order) error {
	if !slices.Contains(Ops(), o.Op) {
		return wrong("op", "there is no order %.20q; there are %v", string(o.Op), Ops())
	}
	if o.Epoch <= 0 {
		return wrong("epoch", "the epoch must be positive, not %d", o.Epoch)
	}
	if err := CheckBuckets(o.Buckets); err != nil {
		return err
	}
	switch {
	case o.Op != Activate && len(o.Seqs) > 0:
		return wrong("seqs", "only activate has seqs")
	case o.Op == Activate && len(o.Seqs) != len(o.Buckets):
		return wrong("seqs", "there are %d buckets but %d seqs; say the number of parts of each bucket", len(o.Buckets), len(o.Seqs))
	}
	for _, seq := range o.Seqs {
		if seq < 0 {
			return wrong("seqs", "a number of parts is not negative, as %d is", seq)
		}
	}
	return nil
}

// CheckBuckets wants 1 to MaxBuckets buckets, each of those that exist and each once.
// errs: Invalid, with "field".
func CheckBuckets(buckets []int) error {
	if len(buckets) == 0 || len(buckets) > MaxBuckets {
		return wrong("buckets", "name 1 to %d buckets, not %d", MaxBuckets, len(buckets))
	}
	seen := make(map[int]bool, len(buckets))
	for _, b := range buckets {
		if err := checkBucket(b); err != nil {
			return err
		}
		if seen[b] {
			return wrong("buckets", "bucket %d is named twice", b)
		}
		seen[b] = true
	}
	return nil
}

func checkBucket(b int) error {
	if b < 0 || b >= bucket.Count {
		return wrong("buckets", "there is no bucket %d; they are 0 to %d", b, bucket.Count-1)
	}
	return nil
}

// CheckParts tells what is wrong with what Copy was given: an epoch that is not
// positive, or a part as in CheckPart. errs: Invalid, with "field".
func CheckParts(epoch int64, parts []Part) error {
	if epoch <= 0 {
		return wrong("epoch", "the epoch must be positive, not %d", epoch)
	}
	for i := range parts {
		if err := CheckPart(parts[i]); err != nil {
			return err
		}
	}
	return nil
}

// CheckPart wants a bucket that exists, a number from 1, and at most MaxPartRecords
// records of MaxPartBytes in all or one of MaxRecordBytes, each a JSON object on one line
// and in the order of their bytes, none twice. errs: Invalid, with "field".
func CheckPart(p Part) error {
	if err := checkBucket(p.Bucket); err != nil {
		return err
	}
	if p.Seq < 1 {
		return wrong("seq", "parts of bucket %d are counted from 1, not %d", p.Bucket, p.Seq)
	}
	if len(p.Records) > MaxPartRecords {
		return wrong("records", "part %d of bucket %d has %d records; at most %d", p.Seq, p.Bucket, len(p.Records), MaxPartRecords)
	}
	size := 0
	for i, r := range p.Records {
		if err := checkRecord(r); err != nil {
			return errs.E(errs.Invalid, "record %d of part %d of bucket %d %s", i+1, p.Seq, p.Bucket, err.Message).With("field", "records")
		}
		if i > 0 && bytes.Compare(p.Records[i-1], r) >= 0 {
			return wrong("records", "record %d of part %d of bucket %d does not come after the one before it, by their bytes", i+1, p.Seq, p.Bucket)
		}
		size += len(r)
	}
	if size > MaxPartBytes && len(p.Records) > 1 {
		return wrong("records", "part %d of bucket %d has %d bytes of records; at most %d, unless it is a single record", p.Seq, p.Bucket, size, MaxPartBytes)
	}
	return nil
}

// checkRecord gives what is wrong with a record, in words that follow its name.
func checkRecord(r []byte) *errs.Error {
	switch {
	case len(r) > MaxRecordBytes:
		return errs.E(errs.Invalid, "has %d bytes; at most %d", len(r), MaxRecordBytes)
	case bytes.IndexByte(r, '\n') >= 0:
		return errs.E(errs.Invalid, "holds a newline")
	case len(r) == 0 || r[0] != '{' || r[len(r)-1] != '}' || !utf8.Valid(r) || !json.Valid(r):
		return errs.E(errs.Invalid, "is not a JSON object in UTF-8, without space around it")
	}
	return nil
}

func wrong(field, format string, args ...any) error {
	return errs.E(errs.Invalid, format, args...).With("field", field)
}
