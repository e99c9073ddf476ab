package proxy

import "context"

// Reload puts a file's new text in force at once, as Run does when it finds one.
func (p *Router) Reload(ctx context.Context, file string, body []byte) {
	p.reload(ctx, file, body, nil)
}
