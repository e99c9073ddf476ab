package proxy

import "banyan/proxy/gatewayapi"

// GatewayAPI writes the routes, with the weights in force, for the Kubernetes Gateway API.
func (p *Router) GatewayAPI(o gatewayapi.Options) gatewayapi.List {
	t := p.table.Load()
	list := make([]gatewayapi.Route, len(t.routes))
	for i, r := range t.routes {
		list[i] = gatewayapi.Route{Route: r.Route, Weights: r.weights}
	}
	return gatewayapi.Export(t.config, list, o)
}
