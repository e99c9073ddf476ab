//go:build !mutants

package redisstore

import "context"

// mutated gives a script as it runs.
func mutated(text string) string { return text }

// unseal is never called.
func (s *Store) unseal(context.Context) error { return nil }
