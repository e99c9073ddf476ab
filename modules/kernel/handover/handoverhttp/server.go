package handoverhttp

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/handover"
	"banyan/modules/kernel/rest"
	"banyan/modules/kernel/web"
)

// stall is how long a part of an export may take to be read by the coordinator.
const stall = 30 * time.Second

// api is the handlers.
type api struct{ p handover.Participant }

// refusal answers orders and copies.
type refusal struct {
	Refused []handover.Fence `json:"refused"`
}

// selection is the body of exports and digests; epoch 0, or none, accepts any.
type selection struct {
	Epoch   int64 `json:"epoch"`
	Buckets []int `json:"buckets"`
}

// digests answers digests.
type digests struct {
	Digests []handover.Digest `json:"digests"`
}

func (a api) status(w http.ResponseWriter, r *http.Request) error {
	buckets, err := bucketsAsked(r.URL.RawQuery)
	if err != nil {
		return err
	}
	s, err := a.p.Status(r.Context(), buckets)
	if err != nil {
		return err
	}
	if s.Fences == nil {
		s.Fences = []handover.Fence{}
	}
	if s.Follows == nil {
		s.Follows = map[string]int64{}
	}
	answer(w, s)
	return nil
}

// bucketsAsked reads buckets=1,2; nil when there is no query. The list is longer than
// other parameters may be.
func bucketsAsked(query string) ([]int, error) {
	if query == "" {
		return nil, nil
	}
	const most = handover.MaxBuckets * (len("9999,") + len("%2C"))
	name, list, _ := strings.Cut(query, "=")
	if name != "buckets" || strings.ContainsAny(list, "&;") || len(list) > most {
		return nil, errs.E(errs.UnknownField, "there is one parameter, buckets=1,2, with at most %d of them; without it, all are told", handover.MaxBuckets).With("field", "buckets")
	}
	var buckets []int
	for text := range strings.SplitSeq(strings.NewReplacer("%2C", ",", "%2c", ",").Replace(list), ",") {
		b, err := strconv.Atoi(text)
		if err != nil || strconv.Itoa(b) != text {
			return nil, errs.E(errs.Invalid, "buckets are whole numbers from 0 to %d, joined by commas", bucket.Count-1).With("field", "buckets")
		}
		buckets = append(buckets, b)
	}
	return buckets, handover.CheckBuckets(buckets)
}

func (a api) orders(w http.ResponseWriter, r *http.Request) error {
	var o handover.Order
	if err := decode(w, r, &o); err != nil {
		return err
	}
	if err := handover.CheckOrder(o); err != nil {
		return err
	}
	refused, err := a.p.Order(r.Context(), o)
	return refuse(w, refused, err)
}

func (a api) digest(w http.ResponseWriter, r *http.Request) error {
	in, err := selected(w, r)
	if err != nil {
		return err
	}
	list, err := a.p.Digest(r.Context(), in.Epoch, in.Buckets)
	if err != nil {
		return err
	}
	answer(w, digests{list})
	return nil
}

// export answers with parts as they come. An error behind the first of them cuts the
// connection, so that nobody takes the answer for whole.
func (a api) export(w http.ResponseWriter, r *http.Request) error {
	in, err := selected(w, r)
	if err != nil {
		return err
	}
	control, parts := http.NewResponseController(w), 0
	begin := func() {
		if parts == 0 {
			w.Header().Set("Content-Type", partsType)
			w.Header().Set("Cache-Control", "no-store")
		}
		_ = control.SetWriteDeadline(time.Now().Add(stall)) // in-process writers have none
	}
	err = a.p.Export(r.Context(), in.Epoch, in.Buckets, func(p handover.Part) error {
		begin()
		parts++
		for _, text := range appendPart(nil, p) {
			if _, err := w.Write(text); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil && parts > 0 {
		panic(http.ErrAbortHandler)
	}
	if err != nil {
		return err
	}
	begin()
	_, _ = w.Write(tailOf(parts))
	return nil
}

// copy reads all parts before any is stored: what was cut off has no effect.
func (a api) copy(w http.ResponseWriter, r *http.Request) error {
	query, err := rest.ReadQuery(r, "epoch")
	if err != nil {
		return err
	}
	epoch, err := strconv.ParseInt(query["epoch"], 10, 64)
	if err != nil || epoch <= 0 || strconv.FormatInt(epoch, 10) != query["epoch"] {
		return errs.E(errs.Invalid, "the parameter epoch must be a positive whole number").With("field", "epoch")
	}
	if err := wantType(r, partsType); err != nil {
		return err
	}
	body := http.MaxBytesReader(w, r.Body, MaxCopyBytes)
	var parts []handover.Part
	for from := newPartReader(body); ; {
		p, err := from.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil && len(parts) == maxCopyParts {
			err = errs.E(errs.TooLarge, "a copy has at most %d parts", maxCopyParts)
		}
		if err != nil {
			// Read on, within the same bound, so that a caller who is still sending gets to
			// the answer.
			_, _ = io.Copy(io.Discard, body)
			return bodyError(err)
		}
		parts = append(parts, p)
	}
	refused, err := a.p.Copy(r.Context(), epoch, parts)
	return refuse(w, refused, err)
}

// bodyError says in our words what net/http says of a body.
func bodyError(err error) error {
	var tooLarge *http.MaxBytesError
	var ours *errs.Error
	switch {
	case errors.As(err, &ours):
		return err
	case errors.As(err, &tooLarge):
		return errs.E(errs.TooLarge, "the body is larger than %d bytes; send fewer parts at once", tooLarge.Limit)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errs.E(errs.Timeout, "the body came too slowly").Because(err)
	}
	return errs.E(errs.Invalid, "the body ended early").Because(err)
}

func selected(w http.ResponseWriter, r *http.Request) (selection, error) {
	var in selection
	if err := decode(w, r, &in); err != nil {
		return in, err
	}
	if in.Epoch < 0 {
		return in, errs.E(errs.Invalid, "the epoch must be positive, or 0 for any").With("field", "epoch")
	}
	return in, handover.CheckBuckets(in.Buckets)
}

// decode wants a body that says that it is JSON: no web page can send one unasked.
func decode(w http.ResponseWriter, r *http.Request, into any) error {
	if err := rest.NoQuery(r); err != nil {
		return err
	}
	if err := wantType(r, "application/json"); err != nil {
		return err
	}
	return web.Decode(w, r, MaxOrderBytes, into)
}

func wantType(r *http.Request, want string) error {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != want {
		return errs.E(errs.UnsupportedMedia, "the body must be %s, and Content-Type must say so", want)
	}
	return nil
}

func refuse(w http.ResponseWriter, refused []handover.Fence, err error) error {
	if err != nil {
		return err
	}
	if refused == nil {
		refused = []handover.Fence{}
	}
	answer(w, refusal{refused})
	return nil
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Cache-Control", "no-store")
	web.JSON(w, http.StatusOK, v)
}
