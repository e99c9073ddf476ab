package handover_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/handover"
)

func TestCheckOrder(t *testing.T) {
	upTo := func(n int) []int {
		list := make([]int, n)
		for i := range list {
			list[i] = i
		}
		return list
	}
	for name, c := range map[string]struct {
		order handover.Order
		field string // "": nothing is wrong
	}{
		"fine":              {handover.Order{Op: handover.Seal, Epoch: 1, Buckets: []int{0, 9999}}, ""},
		"as many as may":    {handover.Order{Op: handover.Purge, Epoch: 1, Buckets: upTo(handover.MaxBuckets)}, ""},
		"activate":          {handover.Order{Op: handover.Activate, Epoch: 1, Buckets: []int{5, 6}, Seqs: []int64{0, 3}}, ""},
		"unknown":           {handover.Order{Op: "forget", Epoch: 1, Buckets: []int{1}}, "op"},
		"none":              {handover.Order{Epoch: 1, Buckets: []int{1}}, "op"},
		"epoch 0":           {handover.Order{Op: handover.Seal, Buckets: []int{1}}, "epoch"},
		"negative epoch":    {handover.Order{Op: handover.Seal, Epoch: -1, Buckets: []int{1}}, "epoch"},
		"no buckets":        {handover.Order{Op: handover.Seal, Epoch: 1}, "buckets"},
		"too many":          {handover.Order{Op: handover.Seal, Epoch: 1, Buckets: upTo(handover.MaxBuckets + 1)}, "buckets"},
		"negative bucket":   {handover.Order{Op: handover.Seal, Epoch: 1, Buckets: []int{-1}}, "buckets"},
		"beyond the last":   {handover.Order{Op: handover.Seal, Epoch: 1, Buckets: []int{10000}}, "buckets"},
		"twice":             {handover.Order{Op: handover.Seal, Epoch: 1, Buckets: []int{1, 2, 1}}, "buckets"},
		"seqs elsewhere":    {handover.Order{Op: handover.Seal, Epoch: 1, Buckets: []int{1}, Seqs: []int64{1}}, "seqs"},
		"seqs missing":      {handover.Order{Op: handover.Activate, Epoch: 1, Buckets: []int{1}}, "seqs"},
		"seqs too many":     {handover.Order{Op: handover.Activate, Epoch: 1, Buckets: []int{1}, Seqs: []int64{1, 2}}, "seqs"},
		"seqs are negative": {handover.Order{Op: handover.Activate, Epoch: 1, Buckets: []int{1}, Seqs: []int64{-1}}, "seqs"},
	} {
		wantField(t, name, handover.CheckOrder(c.order), c.field)
	}
}

func wantField(t *testing.T, name string, err error, field string) {
	t.Helper()
	if field == "" {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		return
	}
	e, ok := err.(*errs.Error) //nolint:errorlint // the error itself
	if !ok || e.Code != errs.Invalid || e.Fields["field"] != field {
		t.Errorf("%s: %v, want one of the field %s", name, err, field)
	}
}

func lines(texts ...string) [][]byte {
	list := make([][]byte, len(texts))
	for i, s := range texts {
		list[i] = []byte(s)
	}
	return list
}

func numbered(n int) [][]byte {
	list := make([][]byte, n)
	for i := range list {
		list[i] = fmt.Appendf(nil, `{"n":%06d}`, 100000+i)
	}
	return list
}

func sized(size int) string { return `{"x":"` + strings.Repeat("x", size-len(`{"x":""}`)) + `"}` }

func TestCheckParts(t *testing.T) {
	for name, c := range map[string]struct {
		epoch int64
		part  handover.Part
		field string
	}{
		"fine":             {1, handover.Part{Bucket: 1, Seq: 1, Records: lines(`{"a":1}`, `{"b":"\n"}`)}, ""},
		"as many as may":   {1, handover.Part{Bucket: 1, Seq: 9, Records: numbered(handover.MaxPartRecords)}, ""},
		"one that is huge": {1, handover.Part{Bucket: 1, Seq: 1, Records: lines(sized(handover.MaxRecordBytes))}, ""},
		"as long as may":   {1, handover.Part{Bucket: 1, Seq: 1, Records: lines(`{"a":1}`, sized(handover.MaxPartBytes-7))}, ""},
		"epoch 0":          {0, handover.Part{Bucket: 1, Seq: 1, Records: lines(`{}`)}, "epoch"},
		"no such bucket":   {1, handover.Part{Bucket: 10000, Seq: 1, Records: lines(`{}`)}, "buckets"},
		"negative bucket":  {1, handover.Part{Bucket: -1, Seq: 1, Records: lines(`{}`)}, "buckets"},
		"part 0":           {1, handover.Part{Bucket: 1, Records: lines(`{}`)}, "seq"},
		"too many":         {1, handover.Part{Bucket: 1, Seq: 1, Records: numbered(handover.MaxPartRecords + 1)}, "records"},
		"too long":         {1, handover.Part{Bucket: 1, Seq: 1, Records: lines(`{"a":1}`, sized(handover.MaxPartBytes-6))}, "records"},
		"one too huge":     {1, handover.Part{Bucket: 1, Seq: 1, Records: lines(sized(handover.MaxRecordBytes + 1))}, "records"},
		"newline":          {1, handover.Part{Bucket: 1, Seq: 1, Records: lines("{\n}")}, "records"},
		"empty":            {1, handover.Part{Bucket: 1, Seq: 1, Records: lines("")}, "records"},
		"space before":     {1, handover.Part{Bucket: 1, Seq: 1, Records: lines(` {}`)}, "records"},
		"space behind":     {1, handover.Part{Bucket: 1, Seq: 1, Records: lines("{}\r")}, "records"},
		"no object":        {1, handover.Part{Bucket: 1, Seq: 1, Records: lines(`[]`)}, "records"},
		"no JSON":          {1, handover.Part{Bucket: 1, Seq: 1, Records: lines(`{a}`)}, "records"},
		"two":              {1, handover.Part{Bucket: 1, Seq: 1, Records: lines(`{}{}`)}, "records"},
		"no UTF-8":         {1, handover.Part{Bucket: 1, Seq: 1, Records: lines("{\"a\":\"\xff\"}")}, "records"},
		"falling":          {1, handover.Part{Bucket: 1, Seq: 1, Records: lines(`{"b":1}`, `{"a":1}`)}, "records"},
		"twice":            {1, handover.Part{Bucket: 1, Seq: 1, Records: lines(`{"b":1}`, `{"b":1}`)}, "records"},
	} {
		good := handover.Part{Bucket: 2, Seq: 1, Records: lines(`{}`)}
		wantField(t, name, handover.CheckParts(c.epoch, []handover.Part{good, c.part}), c.field)
	}
}

func TestSplit(t *testing.T) {
	half := handover.MaxPartBytes / 2
	for name, c := range map[string]struct {
		records [][]byte
		want    []int // records of each part
	}{
		"none":        {nil, nil},
		"one":         {numbered(1), []int{1}},
		"full":        {numbered(handover.MaxPartRecords), []int{handover.MaxPartRecords}},
		"one more":    {numbered(2*handover.MaxPartRecords + 1), []int{handover.MaxPartRecords, handover.MaxPartRecords, 1}},
		"full bytes":  {lines(`{"a`+sized(half - 1)[3:], sized(half-1)), []int{2}},
		"over bytes":  {lines(`{"a`+sized(half - 1)[3:], sized(half)), []int{1, 1}},
		"huge first":  {lines(`{"a`+sized(3 * half)[3:], `{"b":1}`, `{"c":1}`), []int{1, 2}},
		"huge within": {lines(`{"a":1}`, `{"b`+sized(3 * half)[3:], `{"c":1}`), []int{1, 1, 1}},
	} {
		parts := handover.Split(5, c.records)
		var got []int
		var all [][]byte
		for i, p := range parts {
			if p.Bucket != 5 || p.Seq != int64(i+1) {
				t.Errorf("%s: part %d is %d of bucket %d", name, i+1, p.Seq, p.Bucket)
			}
			if err := handover.CheckPart(p); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			got, all = append(got, len(p.Records)), append(all, p.Records...)
		}
		if !slices.Equal(got, c.want) || !slices.EqualFunc(all, c.records, bytes.Equal) {
			t.Errorf("%s: parts of %v records, want %v", name, got, c.want)
		}
	}
}

func TestDigester(t *testing.T) {
	d := handover.NewDigester([]int{9, 4, 1})
	for _, p := range []handover.Part{
		{Bucket: 9, Seq: 1, Records: lines(`{"a":1}`, `{"b":1}`)},
		{Bucket: 9, Seq: 2, Records: lines(`{"c":1}`)},
		{Bucket: 1, Seq: 1, Records: lines(`{"a":1}`)},
	} {
		if err := d.Add(p); err != nil {
			t.Fatal(err)
		}
	}
	sum := func(text string) string { s := sha256.Sum256([]byte(text)); return hex.EncodeToString(s[:]) }
	want := []handover.Digest{{9, 3, sum("{\"a\":1}\n{\"b\":1}\n{\"c\":1}\n")}, {4, 0, sum("")}, {1, 1, sum("{\"a\":1}\n")}}
	if got := d.Digests(); !slices.Equal(got, want) || !slices.Equal(d.Digests(), want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestDigesterRefuses(t *testing.T) {
	for name, parts := range map[string][]handover.Part{
		"a bucket not asked for": {{Bucket: 3, Seq: 1}},
		"another order":          {{Bucket: 2, Seq: 1}, {Bucket: 1, Seq: 1}},
		"a late start":           {{Bucket: 1, Seq: 2}},
		"a gap":                  {{Bucket: 1, Seq: 1}, {Bucket: 1, Seq: 3}},
		"a part twice":           {{Bucket: 1, Seq: 1}, {Bucket: 1, Seq: 1}},
		"falling in a part":      {{Bucket: 1, Seq: 1, Records: lines(`{"b":1}`, `{"a":1}`)}},
		"falling between parts":  {{Bucket: 1, Seq: 1, Records: lines(`{"b":1}`)}, {Bucket: 1, Seq: 2, Records: lines(`{"a":1}`)}},
		"a record twice":         {{Bucket: 1, Seq: 1, Records: lines(`{"b":1}`)}, {Bucket: 1, Seq: 2, Records: lines(`{"b":1}`)}},
	} {
		d := handover.NewDigester([]int{1, 2})
		var err error
		for _, p := range parts {
			if err == nil {
				err = d.Add(p)
			}
		}
		if errs.CodeOf(err) != errs.BadGateway {
			t.Errorf("%s: %v", name, err)
		}
	}
}
