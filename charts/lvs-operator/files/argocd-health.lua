-- As kstatus reads our conditions: Argo CD knows no rule for a kind before it is told.
local status = obj.status or {}
local conditions = {}
for _, condition in ipairs(status.conditions or {}) do
  conditions[condition.type] = condition
end
local function isTrue(type)
  return conditions[type] ~= nil and conditions[type].status == "True"
end
local function say(health, type)
  local condition = conditions[type] or {}
  return { status = health, message = condition.message or "" }
end
if status.observedGeneration ~= nil and status.observedGeneration ~= obj.metadata.generation then
  return { status = "Progressing", message = "The controller has not seen the newest change yet." }
end
if isTrue("Reconciling") then
  return say("Progressing", "Reconciling")
end
if isTrue("Stalled") then
  return say("Degraded", "Stalled")
end
if isTrue("Ready") then
  return say("Healthy", "Ready")
end
return say("Progressing", "Ready")
