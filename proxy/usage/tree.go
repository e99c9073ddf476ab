package usage

import (
	"strconv"
	"strings"
)

// The bounds of a place in the tree.
const (
	maxDepth = 10  // segments; what is deeper is /**
	maxThin  = 32  // words of which little is known; more, and they are taken for ids
	maxWords = 128 // words in all
	settled  = 50  // requests that make a word one that stays
	fewIDs   = 10  // requests with an id below that do so too: /orders/{id} is a word and an id
)

// tree has the paths that were asked for, with a parameter where ids are.
type tree struct {
	root      *node
	nodes     int
	endpoints int // of the tree and of known patterns
}

// node is a place in the tree.
type node struct {
	words   map[string]*node
	param   *node
	tail    *node
	seen    int64
	melted  bool // words were taken for ids here: those that are not settled are not shown
	methods [methodCount]*endpoint
}

// room for another endpoint.
func (t *tree) room() bool { return t.endpoints < maxEndpoints }

// find gives the place of a path, nil if there is none and none may be made.
func (t *tree) find(path string, grow bool) *node {
	n := t.root
	for depth := 0; path != ""; {
		var segment string
		segment, path, _ = strings.Cut(path, "/")
		if segment == "" {
			continue
		}
		if depth++; depth > maxDepth {
			return t.child(&n.tail, grow)
		}
		if n = t.step(n, segment, grow); n == nil {
			return nil
		}
		if grow {
			n.seen++
		}
	}
	return n
}

func (t *tree) step(n *node, segment string, grow bool) *node {
	if next := n.words[segment]; next != nil {
		return next
	}
	word := isWord(segment)
	if !grow || !word || len(n.words) >= maxWords {
		if word && n.param != nil && !n.melted {
			return nil // a word that nobody served, where words are served
		}
		return t.child(&n.param, grow)
	}
	if t.nodes >= maxNodes {
		return nil
	}
	if len(n.words) >= maxThin {
		t.melt(n)
	}
	if n.words == nil {
		n.words = map[string]*node{}
	}
	t.nodes++
	next := &node{}
	n.words[strings.Clone(segment)] = next // and not the whole path
	return next
}

func (t *tree) child(at **node, grow bool) *node {
	if *at == nil && grow && t.nodes < maxNodes {
		t.nodes++
		*at = &node{}
	}
	return *at
}

// thin words have been asked for too little to be sure that they are words.
func (n *node) thin() bool {
	return n.seen < settled && (n.param == nil || n.param.seen < fewIDs)
}

// melt takes thin words for ids when there are too many of them.
func (t *tree) melt(n *node) {
	thin := 0
	for _, next := range n.words {
		if next.thin() {
			thin++
		}
	}
	if thin < maxThin {
		return
	}
	if n.param == nil {
		t.nodes++
		n.param = &node{}
	}
	n.melted = true
	for word, next := range n.words {
		if next.thin() {
			delete(n.words, word)
			t.merge(n.param, next)
		}
	}
}

// merge moves all of one place into another.
func (t *tree) merge(to, from *node) {
	t.nodes--
	to.seen += from.seen
	to.melted = to.melted || from.melted
	for m, e := range from.methods {
		switch {
		case e == nil:
		case to.methods[m] == nil:
			to.methods[m] = e
		default:
			to.methods[m].merge(e)
			t.endpoints--
		}
	}
	t.graft(&to.param, from.param)
	t.graft(&to.tail, from.tail)
	for word, next := range from.words {
		if same := to.words[word]; same != nil {
			t.merge(same, next)
			continue
		}
		if len(to.words) >= maxThin {
			t.melt(to)
		}
		if len(to.words) >= maxWords {
			t.graft(&to.param, next)
			continue
		}
		if to.words == nil {
			to.words = map[string]*node{}
		}
		to.words[word] = next
	}
}

func (t *tree) graft(to **node, from *node) {
	switch {
	case from == nil:
	case *to == nil:
		*to = from
	default:
		t.merge(*to, from)
	}
}

// walk visits every place with its template. Words that may be ids are not spelt.
func (n *node) walk(path string, params int, visit func(template string, n *node)) {
	visit(path, n)
	for word, next := range n.words {
		if n.melted && next.thin() {
			next.walk(path+"/"+param(params), params+1, visit)
			continue
		}
		next.walk(path+"/"+word, params, visit)
	}
	if n.param != nil {
		n.param.walk(path+"/"+param(params), params+1, visit)
	}
	if n.tail != nil {
		n.tail.walk(path+"/**", params, visit)
	}
}

// param names a path's parameters {id}, {id2}, {id3}: as routes.yaml wants them, apart.
func param(before int) string {
	if before == 0 {
		return "{id}"
	}
	return "{id" + strconv.Itoa(before+1) + "}"
}
