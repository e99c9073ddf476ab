package handoverhttp

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/handover"
	"banyan/modules/kernel/web"
)

// partsType is the media type of parts: lines of JSON. A line names a part and its number
// of records, the records follow, a line each; the last line says how many parts there
// were. What ends in any other way was cut off.
const partsType = "application/x-ndjson"

// head is the line before a part's records.
type head struct {
	Bucket  int   `json:"bucket"`
	Seq     int64 `json:"seq"`
	Records int   `json:"records"`
}

// tail is the last line.
type tail struct {
	End   bool `json:"end"`
	Parts int  `json:"parts"`
}

// line is a head or a tail, whichever it turns out to be.
type line struct {
	Bucket  *int   `json:"bucket"`
	Seq     *int64 `json:"seq"`
	Records *int   `json:"records"`
	End     *bool  `json:"end"`
	Parts   *int   `json:"parts"`
}

// maxLine bounds a head or tail, in bytes.
const maxLine = 256

func headOf(p handover.Part) []byte {
	return encode(head{p.Bucket, p.Seq, len(p.Records)})
}

func tailOf(parts int) []byte { return encode(tail{true, parts}) }

func encode(v any) []byte {
	text, _ := json.Marshal(v) // numbers and a truth value: it cannot fail
	return append(text, '\n')
}

// appendPart adds a part's lines to out, whose memory the records share.
func appendPart(out [][]byte, p handover.Part) [][]byte {
	out = append(out, headOf(p))
	newline := []byte{'\n'}
	for _, r := range p.Records {
		out = append(out, r, newline)
	}
	return out
}

// partReader reads parts one by one, and holds one at a time.
type partReader struct {
	from  *bufio.Reader
	parts int
}

func newPartReader(from io.Reader) *partReader {
	const buffer = 64 << 10
	return &partReader{from: bufio.NewReaderSize(from, buffer)}
}

// next gives the next part, or io.EOF behind the last one. Whatever else ends the stream
// is an error: that of the reader below, or Invalid.
func (r *partReader) next() (handover.Part, error) {
	text, err := r.line(maxLine)
	if err != nil {
		return handover.Part{}, err
	}
	var l line
	if err := web.Unmarshal(text, &l); err != nil {
		return handover.Part{}, errs.E(errs.Invalid, "the line behind part %d of the stream is neither the head of a part nor the end", r.parts).Because(err)
	}
	isPart, isEnd := l.Bucket != nil && l.Seq != nil && l.Records != nil, l.End != nil && l.Parts != nil
	switch {
	case isPart && l.End == nil && l.Parts == nil:
		r.parts++
		return r.part(handover.Part{Bucket: *l.Bucket, Seq: *l.Seq}, *l.Records)
	case isEnd && *l.End && l.Bucket == nil && l.Seq == nil && l.Records == nil:
		return handover.Part{}, r.end(*l.Parts)
	}
	return handover.Part{}, errs.E(errs.Invalid, "the line behind part %d of the stream has the fields of neither a part's head nor the end", r.parts)
}

func (r *partReader) part(p handover.Part, records int) (handover.Part, error) {
	if records < 0 || records > handover.MaxPartRecords {
		return p, errs.E(errs.Invalid, "part %d of the stream has %d records; at most %d", r.parts, records, handover.MaxPartRecords)
	}
	size := 0
	for range records {
		most := handover.MaxPartBytes - size
		if len(p.Records) == 0 && records == 1 {
			most = handover.MaxRecordBytes
		}
		record, err := r.line(most)
		if err != nil {
			return p, err
		}
		size += len(record)
		p.Records = append(p.Records, record)
	}
	if err := handover.CheckPart(p); err != nil {
		return p, err
	}
	return p, nil
}

// end wants nothing behind the last line.
func (r *partReader) end(parts int) error {
	if parts != r.parts {
		return errs.E(errs.Invalid, "the stream had %d parts, but says that it had %d", r.parts, parts)
	}
	switch _, err := r.from.ReadByte(); {
	case err == nil:
		return errs.E(errs.Invalid, "there is something behind the end of the stream")
	case !errors.Is(err, io.EOF):
		return err
	}
	return io.EOF
}

// line gives a line of its own memory, at most so many bytes long, without its newline.
func (r *partReader) line(most int) ([]byte, error) {
	var text []byte
	for {
		piece, err := r.from.ReadSlice('\n')
		if len(text)+len(bytes.TrimSuffix(piece, []byte{'\n'})) > most {
			return nil, errs.E(errs.Invalid, "part %d of the stream has more bytes than a part may have", r.parts)
		}
		text = append(text, piece...)
		switch {
		case err == nil:
			return text[:len(text)-1], nil
		case errors.Is(err, io.EOF):
			return nil, errs.E(errs.Invalid, "the stream ends early, behind the head of part %d: its last line is missing", r.parts)
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
}
