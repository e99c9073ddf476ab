package handoverhttp

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/handover"
	"banyan/modules/kernel/rest"
)

// maxCopy is how many bytes of parts the client sends at once: room for a part, and less
// than listeners of ours take.
const maxCopy = 3 << 19

// client is a participant elsewhere.
type client struct {
	to     *rest.Caller // what is small
	stream http.Client  // what is not
	host   string
	base   string // of the paths
	header map[string]string
}

// NewClient gives the participant that is mounted under name at base, such as
// http://127.0.0.1:8082. Besides the errors of a participant, every call may give
// Unauthorized, Unavailable, GatewayTimeout and BadGateway; after the last three it is
// not known what happened. Nothing is ever sent twice, and nothing is judged before it is
// sent: that is the participant's business. The time of a call is bounded by its context
// and by transport. Copy sends a request for each 3/2 MiB of parts, one after the other.
func NewClient(base, name, token string, transport http.RoundTripper) handover.Participant {
	transport = once{transport}
	if segment, ok := rest.Segment(name); ok {
		name = segment
	}
	c := &client{
		to: rest.NewCaller(base, transport),
		stream: http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		base:   "/participant/v1/" + name + "/",
		header: map[string]string{},
	}
	if token != "" {
		c.header["Authorization"] = "Bearer " + token
	}
	c.host = strings.TrimRight(base, "/")
	return c
}

func (c *client) Status(ctx context.Context, buckets []int) (handover.Status, error) {
	path, many := c.base+"status", len(buckets) > handover.MaxBuckets
	if len(buckets) > 0 && !many {
		path += "?buckets=" + join(buckets)
	}
	var s handover.Status
	if _, err := c.to.Do(ctx, rest.Call{Method: http.MethodGet, Path: path, Header: c.header, Out: &s}); err != nil {
		return handover.Status{}, err
	}
	if many {
		s.Fences = choose(s.Fences, buckets)
	}
	if len(buckets) > 0 && !slices.EqualFunc(s.Fences, buckets, func(f handover.Fence, b int) bool { return f.Bucket == b }) {
		return handover.Status{}, errs.E(errs.BadGateway, "the participant tells other fences than those of the buckets asked for")
	}
	return s, nil
}

func join(buckets []int) string {
	words := make([]string, len(buckets))
	for i, b := range buckets {
		words[i] = strconv.Itoa(b)
	}
	return strings.Join(words, ",")
}

// choose gives the fences of some buckets out of all that there are.
func choose(all []handover.Fence, buckets []int) []handover.Fence {
	has := make(map[int]handover.Fence, len(all))
	for _, f := range all {
		has[f.Bucket] = f
	}
	chosen := make([]handover.Fence, len(buckets))
	for i, b := range buckets {
		chosen[i] = has[b]
		chosen[i].Bucket = b
	}
	return chosen
}

func (c *client) Order(ctx context.Context, o handover.Order) ([]handover.Fence, error) {
	var out refusedAnswer
	if _, err := c.to.Do(ctx, rest.Call{Method: http.MethodPost, Path: c.base + "orders", Header: c.header, In: o, Out: &out}); err != nil {
		return nil, err
	}
	return out.fences(o.Buckets)
}

// refusedAnswer is a refusal whose list must be there: an answer without it comes from
// somebody else.
type refusedAnswer struct {
	Refused *[]handover.Fence `json:"refused"`
}

func (a refusedAnswer) fences(asked []int) ([]handover.Fence, error) {
	if a.Refused == nil {
		return nil, errs.E(errs.BadGateway, "the participant's answer does not say what it refused")
	}
	for _, f := range *a.Refused {
		if !slices.Contains(asked, f.Bucket) {
			return nil, errs.E(errs.BadGateway, "the participant refuses bucket %d, which was not in the request", f.Bucket)
		}
	}
	return *a.Refused, nil
}

func (c *client) Digest(ctx context.Context, epoch int64, buckets []int) ([]handover.Digest, error) {
	var out digests
	in := selection{epoch, buckets}
	if _, err := c.to.Do(ctx, rest.Call{Method: http.MethodPost, Path: c.base + "digest", Header: c.header, In: in, Out: &out}); err != nil {
		return nil, err
	}
	if !slices.EqualFunc(out.Digests, buckets, func(d handover.Digest, b int) bool { return d.Bucket == b }) {
		return nil, errs.E(errs.BadGateway, "the participant tells other digests than those of the buckets asked for")
	}
	return out.Digests, nil
}

func (c *client) Export(ctx context.Context, epoch int64, buckets []int, each func(handover.Part) error) error {
	body := encode(selection{epoch, buckets})
	resp, err := c.send(ctx, "export", "application/json", int64(len(body)), net.Buffers{body})
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	return readExport(ctx, resp.Body, buckets, each)
}

func readExport(ctx context.Context, body io.Reader, buckets []int, each func(handover.Part) error) error {
	at, seq := 0, int64(0)
	for from := newPartReader(body); ; {
		p, err := from.next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errs.CodeOf(err) == errs.Invalid:
			return errs.E(errs.BadGateway, "the participant's export makes no sense, or was cut off").Because(err)
		case err != nil:
			return unanswered(ctx, err)
		}
		for at < len(buckets) && buckets[at] != p.Bucket {
			at, seq = at+1, 0
		}
		if seq++; at == len(buckets) || p.Seq != seq {
			return errs.E(errs.BadGateway, "the participant exports part %d of bucket %d where another is due", p.Seq, p.Bucket)
		}
		if err := each(p); err != nil {
			return err
		}
	}
}

func (c *client) Copy(ctx context.Context, epoch int64, parts []handover.Part) ([]handover.Fence, error) {
	var refused []handover.Fence
	for len(parts) > 0 {
		n := fit(parts)
		more, err := c.copySome(ctx, epoch, parts[:n])
		if err != nil {
			return nil, err
		}
		for _, f := range more {
			if !slices.ContainsFunc(refused, func(r handover.Fence) bool { return r.Bucket == f.Bucket }) {
				refused = append(refused, f)
			}
		}
		parts = parts[n:]
	}
	return refused, nil
}

// fit gives how many parts go into a request, at least one.
func fit(parts []handover.Part) int {
	size := 0
	for i, p := range parts {
		size += maxLine
		for _, r := range p.Records {
			size += len(r) + 1
		}
		if i > 0 && (size > maxCopy || i == maxCopyParts) {
			return i
		}
	}
	return len(parts)
}

func (c *client) copySome(ctx context.Context, epoch int64, parts []handover.Part) ([]handover.Fence, error) {
	var frames net.Buffers
	var asked []int
	for _, p := range parts {
		frames = appendPart(frames, p)
		asked = append(asked, p.Bucket)
	}
	frames = append(frames, tailOf(len(parts)))
	size := int64(0)
	for _, text := range frames {
		size += int64(len(text))
	}
	resp, err := c.send(ctx, "copy?epoch="+strconv.FormatInt(epoch, 10), partsType, size, frames)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	var out refusedAnswer
	if err := readJSON(ctx, resp.Body, &out); err != nil {
		return nil, err
	}
	return out.fences(asked)
}
