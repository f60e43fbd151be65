"""nova-compute of the testbed: Nova's own fake virt driver, plus two things.

* It survives a restart.  The fake driver keeps its instances in memory; here
  an instance that is not known (after a restart) is taken to exist in the
  power state that Nova's database last saw.
* It can be made to misbehave.  Before an operation OP on server ID the files
  $OSTB_STATE/faults/OP.ID and $OSTB_STATE/faults/OP.all are looked at; the
  content is "fail" (raise), "sleep N" (take N seconds) or "ignore" (do
  nothing).  OP is one of spawn, destroy, reboot, soft-reboot, power_off, power_on.

Nova only loads drivers from the package nova.virt, so this module registers
itself there and then runs the ordinary nova-compute.
"""
import os
import sys
import time

from nova.cmd import compute  # first: it patches what has to be patched

from nova.compute import power_state
from nova import exception
from nova.virt import fake

FAULTS = os.path.join(os.environ.get("OSTB_STATE", "."), "faults")


def fault(op, uuid):
    """True: go on; False: pretend that it was done."""
    for who in (uuid, "all"):
        try:
            with open(os.path.join(FAULTS, op + "." + who)) as f:
                what = f.read().split()
        except OSError:
            continue
        if what[:1] == ["sleep"]:
            time.sleep(float(what[1]))
        elif what[:1] == ["ignore"]:
            return False
        else:
            raise exception.NovaException("testbed fault: %s of %s" % (op, uuid))
    return True


class Driver(fake.FakeDriverWithoutFakeNodes):

    def _adopt(self, instance):
        if instance.uuid not in self.instances and instance.host == self._host:
            state = instance.power_state
            if state not in (power_state.RUNNING, power_state.SHUTDOWN):
                state = power_state.RUNNING
            self.instances[instance.uuid] = fake.FakeInstance(
                instance.name, state, instance.uuid)

    def get_info(self, instance, use_cache=True):
        if instance.launched_at:
            self._adopt(instance)
        return super().get_info(instance, use_cache=use_cache)

    def spawn(self, context, instance, *args, **kwargs):
        fault("spawn", instance.uuid)
        return super().spawn(context, instance, *args, **kwargs)

    def destroy(self, context, instance, *args, **kwargs):
        self._adopt(instance)
        fault("destroy", instance.uuid)
        return super().destroy(context, instance, *args, **kwargs)

    def reboot(self, context, instance, network_info, reboot_type, *args, **kwargs):
        self._adopt(instance)
        op = "reboot" if reboot_type.lower() == "hard" else "soft-reboot"
        if fault(op, instance.uuid):
            super().reboot(context, instance, network_info, reboot_type, *args, **kwargs)

    def detach_interface(self, context, instance, vif):
        # The interfaces are forgotten by a restart too; Heat moves the port of a server that it replaces.
        self._interfaces.setdefault(vif["id"], vif)
        super().detach_interface(context, instance, vif)

    def power_off(self, instance, *args, **kwargs):
        self._adopt(instance)
        if fault("power_off", instance.uuid):
            super().power_off(instance, *args, **kwargs)

    def power_on(self, context, instance, *args, **kwargs):
        self._adopt(instance)
        if fault("power_on", instance.uuid):
            super().power_on(context, instance, *args, **kwargs)


def main():
    import nova.virt
    module = sys.modules[__name__]
    sys.modules["nova.virt.ostb_compute"] = module
    nova.virt.ostb_compute = module
    sys.argv[0] = "nova-compute"
    return compute.main()


if __name__ == "__main__":
    sys.modules["ostb_compute"] = sys.modules[__name__]
    sys.exit(main())
