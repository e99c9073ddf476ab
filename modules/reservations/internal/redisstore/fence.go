package redisstore

import (
	"context"
	"fmt"
	"strings"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/handover/mutant"
	"banyan/modules/kernel/redisdb"
	"banyan/modules/reservations/internal/store"
)

// modeOf reads a fence record, "<mode> <epoch>"; no record has no mode and epoch 0.
func modeOf(fence string) (mode string, epoch int64) {
	mode, text, _ := strings.Cut(fence, " ")
	ok := true
	return mode, number(text, &ok)
}

// Fields of the namespace's meta hash: the hash by which flights were spread over the
// buckets, and who made the fences.
const (
	metaHash   = "bucket_hash"
	metaFences = "fences"
)

// claimNamespace refuses records spread by another hash and, if the namespace has never
// had fences and own is set, makes all of them active. The marker comes last: after a
// crash in between it starts again, and fences that are there stay as they are.
func (s *Store) claimNamespace(ctx context.Context, own bool) error {
	meta := s.prefix + "meta"
	if err := s.db.HSetNX(ctx, meta, metaHash, bucket.Hash).Err(); err != nil {
		return err
	}
	have, err := s.db.HGetAll(ctx, meta).Result()
	if err != nil {
		return err
	}
	if have[metaHash] != bucket.Hash {
		return errs.E(errs.Unsafe, "the data under %s was written with bucket hash %s, this program uses %s: run the version that wrote it",
			s.prefix, have[metaHash], bucket.Hash)
	}
	if mutant.SealLostAfterRestart {
		if err := s.unseal(ctx); err != nil {
			return err
		}
	}
	if !own || have[metaFences] != "" {
		return nil
	}
	const batch = 1000
	for first := 0; first < bucket.Count; first += batch {
		pipe := s.db.Pipeline()
		for _, key := range s.buckets[first : first+batch] {
			pipe.HSetNX(ctx, key, "#", store.ModeActive+" 1")
		}
		if _, err := pipe.Exec(ctx); err != nil {
			return fmt.Errorf("make fences: %w", err)
		}
	}
	return redisdb.Fail(s.db.HSet(ctx, meta, metaFences, "owned from the start").Err())
}
