// Package playbooks holds the pages of this folder, for banyan playbook to run.
package playbooks

import "embed"

// FS is the pages, at its root.
//
//go:embed *.md
var FS embed.FS
