*** Settings ***
Documentation     Tests of the STM32F405's firmware in Renode, through its serial line, with the host tools.
...               PYTHON needs requirements/demo.txt: renode-test --variable PYTHON:PATH inkling.robot
Suite Setup       Setup
Suite Teardown    Teardown
Test Setup        Boot
Test Teardown     Test Teardown
Test Timeout      3 minutes
Resource          ${RENODEKEYWORDS}
Library           Process

*** Variables ***
${ROOT}           ${CURDIR}/../..
${PYTHON}         python3
${ELF}            ${ROOT}/.pio/build/qemu_stm32f405/firmware.elf
${BUNDLE}         ${ROOT}/bundles/cifar10
${PORT}           5000

*** Keywords ***
Boot
    Reset Emulation
    Execute Command    $elf=@${ELF}
    Execute Command    $port=${PORT}
    Execute Command    include @${CURDIR}/stm32f405.resc
    Start Emulation

Python
    [Documentation]    Run a module from the root of the project; return its output, fail if it fails.
    [Arguments]    @{arguments}
    ${done}=    Run Process    ${PYTHON}    -m    @{arguments}    cwd=${ROOT}    timeout=2 minutes
    Should Be Equal As Integers    ${done.rc}    0    ${done.stderr}
    RETURN    ${done.stdout}

*** Test Cases ***
Info Reports The Target
    ${output}=    Python    host    info    --port    socket://localhost:${PORT}    --bundle    ${BUNDLE}
    Should Contain    ${output}    qemu_stm32f405

Run Returns The Golden Frame
    ${output}=    Python    tests.support.golden_frame    socket://localhost:${PORT}    ${BUNDLE}
    Should Contain    ${output}    equal
