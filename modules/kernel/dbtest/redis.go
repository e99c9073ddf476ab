package dbtest

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

const clusterMasters = 3

// startRedis starts a Redis that answers a write after it is on the disk.
func startRedis(settings ...string) (*instance, error) {
	server, err := binary("redis-server")
	if err != nil {
		return nil, err
	}
	i, err := newInstance("redis")
	if err != nil {
		return nil, err
	}
	i.command = func(i *instance) *exec.Cmd {
		args := append([]string{
			"--bind", "127.0.0.1", "--port", strconv.Itoa(i.port), "--dir", i.dir,
			"--appendonly", "yes", "--appendfsync", "always", "--save", "", "--daemonize", "no",
		}, settings...)
		return exec.Command(server, args...) //nolint:noctx // lives as long as the process
	}
	i.ready = func(i *instance) error {
		return withRedis(context.Background(), i.addr, func(ctx context.Context, c *redis.Client) error { return c.Ping(ctx).Err() })
	}
	if err := i.launch(); err != nil {
		i.remove()
		return nil, err
	}
	return i, nil
}

// startCluster joins three masters and waits until each of them serves all slots.
func startCluster() ([]*instance, error) {
	cli, err := binary("redis-cli")
	if err != nil {
		return nil, err
	}
	args := []string{"--cluster", "create"}
	var nodes []*instance // whoever drops them ends them: the guard's pipe closes
	for range clusterMasters {
		node, err := startRedis("--cluster-enabled", "yes", "--cluster-node-timeout", "5000")
		if err != nil {
			return nil, err
		}
		nodes, args = append(nodes, node), append(args, node.addr)
	}
	args = append(args, "--cluster-yes")
	ctx, cancel := context.WithTimeout(context.Background(), readyWithin)
	defer cancel()
	if out, err := exec.CommandContext(ctx, cli, args...).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("redis-cli --cluster create: %w\n%s", err, out)
	}
	for _, node := range nodes {
		if err := clusterReady(ctx, node.addr); err != nil {
			return nil, err
		}
	}
	return nodes, nil
}

func clusterReady(ctx context.Context, addr string) error {
	check := func(ctx context.Context, c *redis.Client) error {
		info, err := c.ClusterInfo(ctx).Result()
		if err != nil {
			return err
		}
		want := "cluster_known_nodes:" + strconv.Itoa(clusterMasters)
		if !strings.Contains(info, "cluster_state:ok") || !strings.Contains(info, want) {
			return errors.New("not joined yet")
		}
		return nil
	}
	for {
		err := withRedis(ctx, addr, check)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("redis cluster node %s: %w", addr, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func withRedis(ctx context.Context, addr string, fn func(context.Context, *redis.Client) error) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	client := redis.NewClient(&redis.Options{Addr: addr, MaxRetries: -1})
	defer func() { _ = client.Close() }()
	return fn(ctx, client)
}
