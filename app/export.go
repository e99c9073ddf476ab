package main

import (
	"net"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/rest"
	"banyan/proxy/gatewayapi"
)

// newExportCommand makes banyan export: the routes for other routers.
func newExportCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "export", Short: "Write the routes for other routers", Args: argument(),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(newExportGatewayAPI())
	return c
}

func newExportGatewayAPI() *cobra.Command {
	var namespace, gateway, router string
	c := &cobra.Command{
		Use: "gateway-api", Short: "Write HTTPRoutes of the Kubernetes Gateway API, with the weights in force", Args: argument(),
		Long: "Write the routes, with the weights in force, as a List of HTTPRoutes that kubectl apply takes. Stateful routes, and what this\n" +
			"process answers itself, have the router as their one backend. What an HTTPRoute cannot say is in its annotation " + gatewayapi.NoteAnnotation + ".\n" +
			"The output is YAML unless -o json.",
	}
	connect := adminFlags(c.Flags())
	c.Flags().StringVar(&namespace, "namespace", "", "namespace of the routes and services; without it, kubectl's")
	c.Flags().StringVar(&gateway, "gateway", "banyan", "Gateway that the routes belong to")
	c.Flags().StringVar(&router, "router-service", "banyan:8080", "Service and port of this router in the cluster")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		service, port, err := net.SplitHostPort(router)
		if err != nil {
			return errs.E(errs.Invalid, "--router-service is %q: write name:port", router).Because(err)
		}
		api, err := connect()
		if err != nil {
			return err
		}
		query := url.Values{"gateway": {gateway}, "service": {service}, "port": {port}}
		if namespace != "" {
			query.Set("namespace", namespace)
		}
		var list gatewayapi.List
		call := rest.Call{Method: http.MethodGet, Path: "/admin/v1/export/gateway-api", Query: query, Out: &list}
		if err := api.do(cmd.Context(), call); err != nil {
			return err
		}
		if cmd.Flag(outputFlag).Value.String() == "table" {
			return emitYAML(cmd, list) // manifests are no table
		}
		return emit(cmd, list, nil)
	}
	return c
}
