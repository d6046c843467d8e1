// Injects CDI devices by the upstream library: a list of cases on standard input, a list of what became of them on standard output.
package main

import (
	"encoding/json"
	"log"
	"os"

	oci "github.com/opencontainers/runtime-spec/specs-go"
	"tags.cncf.io/container-device-interface/pkg/cdi"
)

type testCase struct {
	Dirs    []string  `json:"dirs"`
	Devices []string  `json:"devices"`
	Spec    *oci.Spec `json:"spec"`
}

type outcome struct {
	Spec       *oci.Spec           `json:"spec,omitempty"`
	Unresolved []string            `json:"unresolved,omitempty"`
	Error      string              `json:"error,omitempty"`
	SpecErrors map[string][]string `json:"specErrors,omitempty"`
}

func run(c testCase) outcome {
	cache, _ := cdi.NewCache(cdi.WithSpecDirs(c.Dirs...), cdi.WithAutoRefresh(false))
	out := outcome{Spec: c.Spec, SpecErrors: map[string][]string{}}
	for path, errs := range cache.GetErrors() {
		for _, err := range errs {
			out.SpecErrors[path] = append(out.SpecErrors[path], err.Error())
		}
	}
	unresolved, err := cache.InjectDevices(c.Spec, c.Devices...)
	if err != nil {
		out.Spec, out.Unresolved, out.Error = nil, unresolved, err.Error()
	}
	return out
}

func main() {
	var cases []testCase
	if err := json.NewDecoder(os.Stdin).Decode(&cases); err != nil {
		log.Fatal(err)
	}
	outcomes := make([]outcome, len(cases))
	for i, c := range cases {
		outcomes[i] = run(c)
	}
	if err := json.NewEncoder(os.Stdout).Encode(outcomes); err != nil {
		log.Fatal(err)
	}
}
