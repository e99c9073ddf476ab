package main

import (
	"fmt"
	"time"

	"banyan/proxy"
)

// tableOfInstances shows each address of a backend that has several.
func tableOfInstances(list []proxy.InstanceView) [][]string {
	if len(list) < 2 {
		return nil
	}
	rows := make([][]string, len(list))
	for i, x := range list {
		text := fmt.Sprintf("%s, %d requests under way", x.State, x.Underway)
		if x.Until != nil {
			text += ", out until " + x.Until.Format(time.TimeOnly) + " UTC"
		}
		rows[i] = []string{"  " + x.URL, text}
	}
	return rows
}

// inUse tells how many of several instances get requests, "" for one.
func inUse(list []proxy.InstanceView) string {
	used, all := 0, 0
	for _, x := range list {
		switch x.State {
		case "draining":
			continue
		case "unhealthy", "ejected":
		default:
			used++
		}
		all++
	}
	if all < 2 {
		return ""
	}
	return fmt.Sprintf(" (%d of %d)", used, all)
}
