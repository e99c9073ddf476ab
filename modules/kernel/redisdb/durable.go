package redisdb

import (
	"context"
	"strings"

	"github.com/redis/go-redis/v9"

	"banyan/modules/kernel/errs"
)

// durable lists what a Redis must say of itself so that an acknowledged write is on
// the disk and stays in memory.
func durable() []setting {
	return []setting{
		{"appendonly", "yes", "without the append-only file a restart forgets every write since the last snapshot"},
		{"appendfsync", "always", "any other value acknowledges writes before they are on the disk"},
		{"no-appendfsync-on-rewrite", "no", "yes suspends the sync while the file is rewritten"},
		{"maxmemory-policy", "noeviction", "any other policy may drop bookings when memory runs short"},
	}
}

type setting struct{ name, want, why string }

// CheckDurable refuses, with errs.Unsafe, a Redis whose settings would lose writes it
// has acknowledged; on a Cluster every master is asked. It cannot see two things that
// are the operator's to know: what the disk does with a sync, and that a failover to a
// replica drops what had not been copied yet.
func (d *DB) CheckDurable(ctx context.Context) error {
	err := d.EachMaster(ctx, func(ctx context.Context, c *redis.Client) error {
		return checkServer(ctx, c)
	})
	return Fail(err)
}

func checkServer(ctx context.Context, c *redis.Client) error {
	at := c.Options().Addr
	var found, lines, commands []string
	for _, d := range durable() {
		got, err := c.ConfigGet(ctx, d.name).Result()
		if refused(err) || (err == nil && got[d.name] == "") {
			return errs.E(errs.Unsafe, "Redis at %s does not tell its setting %s, so it cannot be checked that it keeps acknowledged writes. "+
				"Allow CONFIG GET to this user, or, if you know that the server has %s, vouch for it with --accept-data-loss", at, d.name, all()).Because(err)
		}
		if err != nil {
			return err
		}
		if got[d.name] != d.want {
			found = append(found, d.name+" "+got[d.name]+" ("+d.why+")")
			lines = append(lines, d.name+" "+d.want)
			commands = append(commands, "CONFIG SET "+d.name+" "+d.want)
		}
	}
	if found == nil {
		return nil
	}
	return errs.E(errs.Unsafe, "Redis at %s would lose acknowledged writes: it has %s. Put into its redis.conf:\n  %s\nor send it now, followed by CONFIG REWRITE:\n  %s\n"+
		"To go on and accept the loss, start with --accept-data-loss", at, strings.Join(found, "; "), strings.Join(lines, "\n  "), strings.Join(commands, "\n  "))
}

func all() string {
	settings := make([]string, len(durable()))
	for i, d := range durable() {
		settings[i] = d.name + " " + d.want
	}
	return strings.Join(settings, ", ")
}

// refused recognises a server that does not offer CONFIG, or not to this user.
func refused(err error) bool {
	if err == nil {
		return false
	}
	text := err.Error()
	return strings.HasPrefix(text, "NOPERM") || strings.HasPrefix(text, "ERR unknown command") || strings.HasPrefix(text, "ERR unknown subcommand")
}
