//go:build mutants

package redisstore

import (
	"context"
	"strings"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/handover/mutant"
	"banyan/modules/reservations/internal/store"
)

// breach is how a script breaks a rule.
type breach struct {
	wanted           bool
	script, old, new string // script is what its text starts with
}

func breaches() []breach {
	const (
		commit = "-- Applies changes"
		order  = "-- Carries out an order"
		parts  = "-- Stores a part"
	)
	return []breach{
		// Who has read an active fence writes, however long that is ago.
		{mutant.FreezeWithoutDrain, commit, "if string.sub(fence, 1, 7) ~= 'active ' then return {fence} end", ""},
		{mutant.FreezeWithoutDrain, commit, " or (expected ~= '' and expected ~= fence)", ""},
		{mutant.CopyWithoutEpoch, parts, "stored[1] ~= 'sealed ' .. ARGV[1]", "string.sub(stored[1] or '', 1, 7) ~= 'sealed '"},
		{mutant.CopyWithoutSeq, parts, " or tonumber(stored[2] or 0) + 1 ~= tonumber(ARGV[2])", ""},
		{mutant.ActivateWithoutEpoch, order, "if same and seq == tonumber(ARGV[3])", "if seq == tonumber(ARGV[3])"},
		{mutant.BothSidesActive, order, "if same and (mode == 'ro' or sealed) then becomes = 'sealed' end", "if same and (mode == 'ro' or active) then becomes = 'active' elseif same and sealed then becomes = 'sealed' end"},
	}
}

// mutated gives a script as it runs.
func mutated(text string) string {
	for _, b := range breaches() {
		if !b.wanted || !strings.HasPrefix(text, b.script) {
			continue
		}
		if !strings.Contains(text, b.old) {
			panic("redisstore: a mutant does not fit its script any more: " + b.old)
		}
		text = strings.Replace(text, b.old, b.new, 1)
	}
	return text
}

// unseal forgets which buckets were sealed.
func (s *Store) unseal(ctx context.Context) error {
	for b := range bucket.Count {
		fence, err := s.db.HGet(ctx, s.buckets[b], "#").Result()
		if mode, epoch := modeOf(fence); err == nil && mode == store.ModeSealed {
			err = s.db.HSet(ctx, s.buckets[b], "#", store.ModeActive+" "+itoa(epoch)).Err()
			if err != nil {
				return err
			}
		}
	}
	return nil
}
