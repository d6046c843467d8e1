// Adjusts OCI specs by upstream's generator, and shows what its conversions make of a spec: a list of cases on standard
// input, a list of what became of them on standard output. Messages are protobuf's bytes in base64.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"os"

	"github.com/containerd/nri/pkg/api"
	nrigen "github.com/containerd/nri/pkg/runtime-tools/generate"
	oci "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/opencontainers/runtime-tools/generate"
	"google.golang.org/protobuf/proto"
)

type testCase struct {
	Spec       *oci.Spec `json:"spec"`
	Adjustment []byte    `json:"adjustment"`
}

type outcome struct {
	Spec *oci.Spec `json:"spec,omitempty"`
	// Container is the adjusted spec as a plugin would see it.
	Container []byte `json:"container,omitempty"`
	Error     string `json:"error,omitempty"`
}

func adjust(spec *oci.Spec, message []byte) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	adjustment := &api.ContainerAdjustment{}
	if err := proto.Unmarshal(message, adjustment); err != nil {
		return err
	}
	generator := generate.NewFromSpec(spec)
	// As containerd resolves classes.
	options := []nrigen.GeneratorOption{
		nrigen.WithRdtResolver(func(name string) (*oci.LinuxIntelRdt, error) {
			return &oci.LinuxIntelRdt{ClosID: name}, nil
		}),
		nrigen.WithBlockIOResolver(func(name string) (*oci.LinuxBlockIO, error) {
			return nil, fmt.Errorf("no class %q", name)
		}),
	}
	return nrigen.SpecGenerator(&generator, options...).Adjust(adjustment)
}

func container(s *oci.Spec) *api.Container {
	c := &api.Container{
		Annotations: s.Annotations,
		Args:        s.Process.Args,
		Env:         s.Process.Env,
		Mounts:      api.FromOCIMounts(s.Mounts),
		Hooks:       api.FromOCIHooks(s.Hooks),
		User: &api.User{
			Uid:            s.Process.User.UID,
			Gid:            s.Process.User.GID,
			AdditionalGids: s.Process.User.AdditionalGids,
		},
		Linux: &api.LinuxContainer{
			Namespaces:  api.FromOCILinuxNamespaces(s.Linux.Namespaces),
			Devices:     api.FromOCILinuxDevices(s.Linux.Devices),
			Resources:   api.FromOCILinuxResources(s.Linux.Resources, s.Annotations),
			OomScoreAdj: api.Int(s.Process.OOMScoreAdj),
			CgroupsPath: s.Linux.CgroupsPath,
			IoPriority:  api.FromOCILinuxIOPriority(s.Process.IOPriority),
			Scheduler:   api.FromOCILinuxScheduler(s.Process.Scheduler),
			NetDevices:  api.FromOCILinuxNetDevices(s.Linux.NetDevices),
			Sysctl:      s.Linux.Sysctl,
		},
	}
	for _, l := range s.Process.Rlimits {
		c.Rlimits = append(c.Rlimits, &api.POSIXRlimit{Type: l.Type, Hard: l.Hard, Soft: l.Soft})
	}
	if s.Linux.Seccomp != nil {
		c.Linux.SeccompPolicy = api.FromOCILinuxSeccomp(s.Linux.Seccomp)
	}
	if rdt := s.Linux.IntelRdt; rdt != nil {
		c.Linux.Rdt = &api.LinuxRdt{
			ClosId:           api.String(rdt.ClosID),
			Schemata:         api.RepeatedString(rdt.Schemata),
			EnableMonitoring: api.Bool(rdt.EnableMonitoring),
		}
	}
	return c
}

func run(c testCase) outcome {
	if err := adjust(c.Spec, c.Adjustment); err != nil {
		return outcome{Error: err.Error()}
	}
	message, err := proto.Marshal(container(c.Spec))
	if err != nil {
		return outcome{Error: err.Error()}
	}
	return outcome{Spec: c.Spec, Container: message}
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
