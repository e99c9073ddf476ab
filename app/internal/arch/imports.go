package arch

import (
	"slices"
	"strings"
)

// refuse says why a file in folder from may not import the project's folder to; "" when
// it may. Folders are relative to the root. This is the table of docs/architecture.md.
func refuse(from, to string, test bool) string {
	room, name := locate(from)
	var allowed []string
	switch room {
	case "kernel":
		allowed = []string{"modules/kernel"}
	case "context":
		allowed = []string{"modules/" + name, "modules/kernel"}
		if test {
			allowed = append(allowed, "migrations/"+name)
		}
	case "proxy":
		allowed = []string{"proxy", "modules/kernel"}
		if test {
			allowed = append(allowed, "migrations/proxy")
		}
	case "extracted":
		allowed = []string{"extracted/" + name, "modules/" + name, "modules/kernel", "migrations/" + name}
	case "app":
		allowed = []string{"app", "modules", "proxy", "migrations", "docs"}
	case "deploy": // benchmarks and end-to-end tests stand where the wiring stands
		allowed = []string{"deploy", "modules", "proxy", "migrations"}
	case "migrations":
		return "migrations are SQL and import nothing of the project"
	case "docs": // packages that only embed pages
		return "docs are text and import nothing of the project"
	default:
		return "the folder " + from + " is none of the house's rooms: app, modules, extracted, proxy, migrations, deploy, docs"
	}
	if slices.ContainsFunc(allowed, func(dir string) bool { return within(to, dir) }) {
		return ""
	}
	if target, other := locate(to); room == "context" && target == "context" {
		return "the context " + name + " must not know " + other + ": declare what it needs as an interface, and let app bring them together"
	}
	return from + " may import only " + strings.Join(allowed, ", ")
}

// locate names the room a folder is in, and the context if the room is one of several.
func locate(dir string) (room, name string) {
	parts := strings.Split(dir, "/")
	switch {
	case parts[0] == "modules" && len(parts) > 1 && parts[1] == "kernel":
		return "kernel", ""
	case parts[0] == "modules" && len(parts) > 1:
		return "context", parts[1]
	case parts[0] == "extracted" && len(parts) > 1:
		return "extracted", parts[1]
	case parts[0] == "modules" || parts[0] == "extracted":
		return "", ""
	}
	return parts[0], ""
}

func within(dir, parent string) bool {
	return dir == parent || strings.HasPrefix(dir, parent+"/")
}
