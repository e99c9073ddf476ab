package handover

import "context"

// Stamper is a Participant that can tell more cheaply than by Digest whether a bucket was
// changed.
type Stamper interface {
	// Stamps gives a text for each bucket, in the order asked for. Two are equal only if
	// Export would have given the same at both times, and at all times between them. Errors
	// are those of Export.
	Stamps(ctx context.Context, epoch int64, buckets []int) ([]string, error)
}
