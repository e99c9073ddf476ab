package usage

import "testing"

// TestNodesAreBounded, also when every word has been asked for often enough to stay.
func TestNodesAreBounded(t *testing.T) {
	tree := tree{root: &node{}}
	word := func(i int) string { return string([]byte{'a' + byte(i/26), 'a' + byte(i%26)}) }
	refused := 0
	for a := range 90 {
		for b := range 90 {
			for range settled {
				if tree.find("/"+word(a)+"/"+word(b), true) == nil {
					refused++
				}
			}
		}
	}
	seen := 0
	tree.root.walk("", 0, func(string, *node) { seen++ })
	if seen-1 != tree.nodes || seen > 4097 || refused == 0 {
		t.Errorf("%d places, %d by the tree's count, %d refused", seen, tree.nodes, refused)
	}
}
